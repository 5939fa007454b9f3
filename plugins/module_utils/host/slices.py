# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Settings of others for the slices and services of users. Reads files below a given root."""

from __future__ import annotations

import glob
import os
import re

from ansible_collections.nova.agent_host.plugins.module_utils.desired.units import FOLDERS

CONTROL = ("/etc/systemd/system.control", "/run/systemd/system.control")  # what systemctl set-property writes
OOMD = "sys/fs/cgroup/system.slice/systemd-oomd.service"
OF_USERS = ("-.slice", "user.slice", "user-.slice", "user@.service")

_KILL = re.compile(r"^\s*ManagedOOM(?:Swap|MemoryPressure)\s*=\s*kill\s*$", re.MULTILINE)


def observe_oomd(root: str = "/") -> list[str]:
    """The files that let systemd-oomd end sessions of users; empty if it does not run."""
    if not os.path.isdir(os.path.join(root, OOMD)):
        return []
    found = []
    for folder in (*FOLDERS, *CONTROL):
        for unit in OF_USERS:
            for pattern in (unit, f"{unit}.d/*.conf"):
                found += [path for path in _files(folder, pattern, root) if _KILL.search(_text(path, root))]
    return sorted(set(found))


def observe_overrides(root: str = "/") -> dict[str, list[str]]:
    """Files of `systemctl set-property` for slices and managers of users, by unit. They override all drop-ins."""
    found: dict[str, list[str]] = {}
    for folder in CONTROL:
        for path in _files(folder, "user*.d/*.conf", root):
            unit = os.path.basename(os.path.dirname(path))[: -len(".d")]
            if re.fullmatch(r"user(-.*)?\.slice|user@.*\.service", unit):
                found.setdefault(unit, []).append(path)
    return found


def _files(folder: str, pattern: str, root: str) -> list[str]:
    found = sorted(glob.glob(os.path.join(root, folder.lstrip("/"), pattern)))
    return [f"/{os.path.relpath(path, root)}" for path in found]


def _text(path: str, root: str) -> str:
    try:
        with open(os.path.join(root, path.lstrip("/")), encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""
