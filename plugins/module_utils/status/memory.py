# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""How much memory all sessions use, how long they wait for it, and how many processes were killed."""

from __future__ import annotations

import os
import re
from typing import TypedDict

from ..host.cgroups import CGROUPS, USERS
from ..host.files import read_text
from ..host.pressure import Pressure, read_pressure
from ..observed.shapes import Ceiling


class Memory(TypedDict):
    """``scope``: ``sessions`` (user.slice, counted by the kernel), or ``processes`` (the sum of all agents' processes;
    shared pages count for each process)."""

    scope: str
    in_use: int  #: Bytes; for sessions without memory that the kernel can reclaim.
    ceiling: int | None  #: Bytes that all sessions may use; None without a ceiling.


class Trouble(TypedDict):
    """``scope``: ``sessions``, or ``host`` if the kernel does not count for sessions."""

    scope: str
    pressure: Pressure | None  #: Of memory; None if not measured.
    killed: int | None  #: Processes that the OOM killer ended since the boot.


def memory_of_sessions(ceiling: Ceiling) -> Memory | None:
    """The memory of all sessions; None if the kernel does not count it."""
    users = ceiling.users
    return {"scope": "sessions", "in_use": users.in_use, "ceiling": users.memory_max} if users else None


def observe_trouble(counted: bool, root: str = "/") -> Trouble:
    """``counted``: whether the kernel counts memory for sessions. Raises HostError."""
    users = os.path.join(root, CGROUPS, USERS)
    proc = os.path.join(root, "proc")
    return {
        "scope": "sessions" if counted else "host",
        "pressure": read_pressure(f"{users}/memory.pressure" if counted else f"{proc}/pressure/memory") or None,
        "killed": _count(read_text(f"{users}/memory.events" if counted else f"{proc}/vmstat")),
    }


def _count(text: str) -> int | None:
    match = re.search(r"^oom_kill ([0-9]+)$", text, re.MULTILINE)
    return int(match[1]) if match else None
