# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Whether the login paths of a host load pam_limits. Reads the configuration of PAM below a given root."""

from __future__ import annotations

import os
import re

from ..observed.shapes import LoginPaths
from . import sshd
from .files import exists, read_text

PAM_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d")  # a file in the first hides the one in the second
# Services that start programs as an agent after a login. sudo-i and su-l include sudo and su.
PAM_SERVICES = ("atd", "cron", "login", "sshd", "su", "sudo", "systemd-user")

_MODULE = re.compile(r"-?session\s+(?:\[[^\]]*\]|\w+)\s+\S*pam_limits\.so\b")
_INCLUDE = re.compile(r"(?:@include|-?session\s+(?:include|substack))\s+(\S+)")


def observe_login_paths(root: str = "/") -> LoginPaths:
    """The login paths on which PAM sets no limits."""
    return LoginPaths(
        sshd_without_pam=exists(sshd.CONFIG, root) and not sshd.uses_pam(root),
        pam_without_limits=[
            name for name in PAM_SERVICES if _pam_file(root, name) and not _loads_limits(root, name, frozenset())
        ],
    )


def why_without_limits(service: str, root: str = "/") -> str:
    """Why a PAM service sets no limits, and how to correct it. Empty if it sets them."""
    path = _pam_file(root, service)
    if path is None:
        return f"there is no {PAM_FOLDERS[0]}/{service}: install its package"
    loads = _loads_limits(root, service, frozenset())
    return "" if loads else f"{path} does not load pam_limits: add `session required pam_limits.so`"


def _pam_file(root: str, service: str) -> str | None:
    paths = [os.path.join(folder, service) for folder in PAM_FOLDERS]
    return next((path for path in paths if exists(path, root)), None)


def _loads_limits(root: str, service: str, seen: frozenset[str]) -> bool:
    path = _pam_file(root, service)
    for text in read_text(path, root).splitlines() if path else ():
        line = text.split("#", 1)[0].strip()
        if _MODULE.match(line):
            return True
        include = _INCLUDE.match(line)
        if include and include[1] not in seen and _loads_limits(root, include[1], seen | {service}):
            return True
    return False
