# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The processes of agents on a host, and their limits.

A process can lower its hard limits but not raise them. So the highest limit in a session is that of its login.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from ..observed.shapes import Session
from .members import user_ids
from .processes import owners, read_proc

_LIMITS = {"as": "Max address space", "nofile": "Max open files"}
_UNIT = re.compile(r"/([^/]+\.(?:scope|service))")


def observe_sessions(members: Iterable[str], root: str = "/") -> list[Session]:
    """The units in which ``members`` have processes, each with the highest hard limits of its processes."""
    names = user_ids(members)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for pid, uid in owners(root) if names else ():
        if uid not in names:
            continue
        try:
            limits, unit = _limits(read_proc(root, f"{pid}/limits")), _unit(read_proc(root, f"{pid}/cgroup"))
        except OSError:
            continue  # the process has ended, or is hidden
        if not limits:
            continue  # a zombie has none
        loosest = found.setdefault((names[uid], unit), limits)
        found[names[uid], unit] = {item: max(loosest[item], limits[item]) for item in _LIMITS}
    return [
        Session(user, unit, {item: None if value == _NONE else int(value) for item, value in hard.items()})
        for (user, unit), hard in sorted(found.items())
    ]


def count_programs(members: Iterable[str], programs: Sequence[str], root: str = "/") -> dict[str, int]:
    """The number of processes of ``members`` for each of ``programs``, by the kernel's name of a process."""
    names = user_ids(members) if programs else {}
    counts = dict.fromkeys(programs, 0)
    for pid, uid in owners(root) if names else ():
        with suppress(OSError):
            name = read_proc(root, f"{pid}/comm").rstrip("\n") if uid in names else ""
            if name in counts:
                counts[name] += 1
    return counts


_NONE = float("inf")


def _limits(text: str) -> dict[str, float]:
    """The hard limits in /proc/PID/limits. Its columns are name, soft, hard and unit."""
    found = {}
    for item, name in _LIMITS.items():
        match = re.search(rf"^{name}\s+\S+\s+(\S+)", text, re.MULTILINE)
        if match:
            found[item] = _NONE if match[1] == "unlimited" else float(match[1])
    return found if len(found) == len(_LIMITS) else {}


def _unit(text: str) -> str:
    """The systemd unit of a process; for user units, their user manager."""
    # Not str.splitlines: accounts choose names of cgroups below their user manager, which can have line separators.
    for line in filter(None, text.split("\n")):
        identity, controllers, path = line.split(":", 2)
        if identity == "0" or controllers == "name=systemd":
            match = _UNIT.search(path)
            if match:
                return match[1]
    return "no unit"
