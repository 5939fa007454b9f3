# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What only a running host tells: limits of a login, and toolchains that agents brought themselves.

Starts processes, a few for each agent: for an audit, not for every apply.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterable
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host.logins import why_without_limits
from ansible_collections.nova.agent_host.plugins.module_utils.host.programs import said, why

# Rows of /proc/PID/limits, by their item in limits.conf.
ROWS = {
    "as": "Max address space",
    "core": "Max core file size",
    "cpu": "Max cpu time",
    "data": "Max data size",
    "fsize": "Max file size",
    "locks": "Max file locks",
    "memlock": "Max locked memory",
    "msgqueue": "Max msgqueue size",
    "nofile": "Max open files",
    "nproc": "Max processes",
    "rss": "Max resident set",
    "rtprio": "Max realtime priority",
    "sigpending": "Max pending signals",
    "stack": "Max stack size",
}
TRIED_BY = "runuser"
OWN_RUSTUP = (".cargo/bin/cargo", ".cargo/bin/rustup", ".rustup")


def existing(users: Iterable[str]) -> list[str]:
    found = []
    for user in users:
        try:
            found.append(pwd.getpwnam(user).pw_name)
        except KeyError:
            continue
    return found


def observe_login(user: str, root: str = "/") -> dict[str, Any]:
    """What PAM gives a new session of ``user``: ``{"limits": {"as": [soft, hard], ...}}``, None for no limit, or
    ``{"error": why it can't be told}``. runuser's PAM service does little beside pam_limits, and no shell runs."""
    if missing := why_without_limits(TRIED_BY, root):  # else every limit would seem to be missing
        return {"error": missing}
    try:
        report = said([TRIED_BY, "-u", user, "--", "cat", "/proc/self/limits"])
    except (OSError, subprocess.SubprocessError) as error:
        return {"error": why(error)}
    limits = {}
    for item, row in ROWS.items():
        match = re.search(rf"^{row}\s+(\S+)\s+(\S+)", report, re.MULTILINE)
        if match:
            limits[item] = [None if value == "unlimited" else int(value) for value in match.groups()]
    return {"limits": limits}


def observe_own_rustups(users: Iterable[str]) -> dict[str, list[str]]:
    """Toolchains in the homes of accounts that exist, by account; only those who have any."""
    found = {}
    for user in users:
        paths = [os.path.join(pwd.getpwnam(user).pw_dir, name) for name in OWN_RUSTUP]
        there = [path for path in paths if os.path.lexists(path)]
        if there:
            found[user] = there
    return found
