# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""How much memory all sessions take, how long they wait for it, and what was killed for lack of it."""

from __future__ import annotations

import os
import re
from typing import TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.host.cgroups import CGROUPS, USERS
from ansible_collections.nova.agent_host.plugins.module_utils.host.files import read_text
from ansible_collections.nova.agent_host.plugins.module_utils.host.pressure import Pressure, parse_pressure
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Ceiling


class Memory(TypedDict):
    """``scope`` says of what: ``sessions`` (user.slice, counted by the kernel), or ``processes``, the sum of what the
    agents' processes hold, where pages that they share count for each."""

    scope: str
    in_use: int  #: Bytes, of sessions without what the kernel can take back.
    ceiling: int | None  #: Bytes that all sessions may take; None where no ceiling is set.


class Trouble(TypedDict):
    """``scope`` says of what: ``sessions``, or ``host`` where the kernel doesn't count for sessions."""

    scope: str
    pressure: Pressure | None  #: Of memory; None: not measured.
    killed: int | None  #: Processes killed for lack of memory since the boot.


def memory_of_sessions(ceiling: Ceiling) -> Memory | None:
    """From what ``observe_ceiling`` saw; None where the kernel doesn't count memory for sessions."""
    users = ceiling.users
    return {"scope": "sessions", "in_use": users.in_use, "ceiling": users.memory_max} if users else None


def observe_trouble(counted: bool, root: str = "/") -> Trouble:
    """``counted`` says whether the kernel counts memory for sessions."""
    users = os.path.join(root, CGROUPS, USERS)
    proc = os.path.join(root, "proc")
    return {
        "scope": "sessions" if counted else "host",
        "pressure": parse_pressure(read_text(f"{users}/memory.pressure" if counted else f"{proc}/pressure/memory"))
        or None,
        "killed": _count(read_text(f"{users}/memory.events" if counted else f"{proc}/vmstat")),
    }


def _count(text: str) -> int | None:
    match = re.search(r"^oom_kill ([0-9]+)$", text, re.MULTILINE)
    return int(match[1]) if match else None
