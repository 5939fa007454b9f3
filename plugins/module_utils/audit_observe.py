# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=ansible-bad-function
# (no AnsibleModule here, whose functions pylint would have)
"""What only a running host tells: limits of a login, states of units, and toolchains that agents brought themselves.

Starts processes, a few for each agent: for an audit, not for every apply.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterable
from typing import Any

PATIENCE = 20  # seconds for one program: PAM may ask a directory service that is away
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
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
PROPERTIES = {"LoadState": "load", "UnitFileState": "enabled", "ActiveState": "active", "Result": "result"}
OWN_RUSTUP = (".cargo/bin/cargo", ".cargo/bin/rustup", ".rustup")


def existing(users: Iterable[str]) -> list[str]:
    found = []
    for user in users:
        try:
            found.append(pwd.getpwnam(user).pw_name)
        except KeyError:
            continue
    return found


def observe_login(user: str) -> dict[str, Any]:
    """What PAM gives a new session of ``user``: ``{"limits": {"as": [soft, hard], ...}}``, None for no limit, or
    ``{"error": why it can't be told}``. runuser's PAM service does little beside pam_limits, and no shell runs."""
    try:
        report = _said(["runuser", "-u", user, "--", "cat", "/proc/self/limits"])
    except (OSError, subprocess.SubprocessError) as error:
        return {"error": _why(error)}
    limits = {}
    for item, row in ROWS.items():
        match = re.search(rf"^{row}\s+(\S+)\s+(\S+)", report, re.MULTILINE)
        if match:
            limits[item] = [None if value == "unlimited" else int(value) for value in match.groups()]
    return {"limits": limits}


def observe_units(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """``{"x.timer": {"load": "loaded", "enabled": "enabled", "active": "active", "result": "success", "stale":
    whether systemd has not read its files since they changed}}``, empty where systemd does not answer."""
    wanted = list(names)
    if not wanted:
        return {}
    asked = ["systemctl", "show", f"--property={','.join([*PROPERTIES, 'NeedDaemonReload'])}", "--", *wanted]
    try:
        blocks = _said(asked).strip("\n").split("\n\n")
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for name, block in zip(wanted, blocks):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found[name] = {
            **{key: values.get(property_, "") for property_, key in PROPERTIES.items()},
            "stale": values.get("NeedDaemonReload") == "yes",
        }
    return found


def observe_own_rustups(users: Iterable[str]) -> dict[str, list[str]]:
    """Toolchains in the homes of accounts that exist, by account; only those who have any."""
    found = {}
    for user in users:
        paths = [os.path.join(pwd.getpwnam(user).pw_dir, name) for name in OWN_RUSTUP]
        there = [path for path in paths if os.path.lexists(path)]
        if there:
            found[user] = there
    return found


def _said(command: list[str]) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=True,
        text=True,
        errors="replace",
    )
    return done.stdout


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return (
            f"{error.cmd[0]} ended with status {error.returncode}: {(error.stderr or '').strip() or 'it said nothing'}"
        )
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{error.cmd[0]} did not answer within {PATIENCE} s"
    return f"{error}"
