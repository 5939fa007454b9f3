# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# ("bar" is a bar on the screen, "_" an unused value)
"""How much memory of the host's pool and how many slots are in use, and which processes hold them or wait.

The sums are values of kernel semaphores. The kernel has no list of the processes, so the lists come from the titles of
processes. An agent can give its own process any title, so the lists are only information.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from typing import NamedTuple, TypedDict

from ..host.child import ChildError, answer
from ..host.files import below
from ..host.processes import booted, owners, read_process
from ..state.look import owner_name
from ..text import safe_text

_POOL = re.compile(r"([0-9]{1,10}) ([0-9]{1,19}) ")
_TITLE = re.compile(
    r"memory-gate: waits for (?P<bytes>[0-9]{1,19}) for (?P<process>[^\0]*)"
    r"|memory-gate: holds (?P<held>[0-9]{1,19}) for (?P<holder>[^\0]*)"
    r"|cargo_agent: (?P<slot>holds|waits for) a slot for (?P<command>[^\0]*)"
)
TITLES_SECONDS = 5.0
_GETVAL = 12
_FREE, _TOTAL, _FREE_SLOTS, _SLOTS = 0, 1, 3, 4  # numbers of the semaphores


class Caller(TypedDict):
    """A process that holds memory or a slot, or waits for it."""

    pid: int
    user: str
    since: float  #: When the process started, in seconds since the epoch.
    command: str
    memory: int  #: Bytes that it holds or waits for; 0 for a slot.


class Slots(TypedDict):
    total: int | None  #: None without a pool.
    held: int
    holders: list[Caller]  #: The largest permit first.
    waiting: list[Caller]  #: The longest wait first.


class Pool(Slots):
    """The same in bytes."""

    path: str
    problem: str | None


class Commands(NamedTuple):
    """The pool and the slots of all wrapped commands."""

    pool: Pool
    slots: Slots
    note: str = ""


def observe_pool(path: str, root: str = "/") -> Commands:
    """The pool whose id is in the file ``path`` of the host below ``root``."""
    pool: Pool = {"path": path, "total": None, "held": 0, "holders": [], "waiting": [], "problem": None}
    slots: Slots = {"total": None, "held": 0, "holders": [], "waiting": []}
    try:
        with open(below(root, path), encoding="ascii", errors="replace") as file:
            match = _POOL.match(file.read(100))
    except OSError as error:
        pool["problem"] = f"{path}: {error.strerror}; start nova-agent-pool.service"
        return Commands(pool, slots)
    values = [_value(int(match[1]), place) for place in (_FREE, _TOTAL, _FREE_SLOTS, _SLOTS)] if match else []
    if match is None or min(values) < 0:
        pool["problem"] = f"the pool of {path} does not exist: restart nova-agent-pool.service"
        return Commands(pool, slots)
    free, total, free_slots, all_slots = values
    unit = int(match[2])
    pool["total"], pool["held"] = total * unit, (total - free) * unit
    slots["total"], slots["held"] = all_slots, all_slots - free_slots
    try:
        # In a child: the kernel reads a title from the memory of its process, which can hang in a file system.
        callers = answer(lambda: list(_callers(root)), seconds=TITLES_SECONDS)
    except ChildError as error:
        return Commands(pool, slots, f"the holders and the waiting processes are unknown: reading the titles {error}")
    for holds, caller in callers:
        listed = pool if caller["memory"] else slots
        listed["holders" if holds else "waiting"].append(caller)
    for part in (pool, slots):
        part["holders"].sort(key=lambda caller: (-caller["memory"], caller["since"]))
        part["waiting"].sort(key=lambda caller: caller["since"])
    return Commands(pool, slots)


def _value(number: int, place: int) -> int:
    """-1 if the semaphore does not exist."""
    return int(ctypes.CDLL(None).semctl(number, place, _GETVAL))


def _callers(root: str) -> Iterator[tuple[bool, Caller]]:
    start = booted(root)
    for pid, uid in owners(root):
        try:
            with open(os.path.join(root, "proc", str(pid), "cmdline"), encoding="utf-8", errors="replace") as file:
                match = _TITLE.match(file.read(400))
        except OSError:
            continue
        process = read_process(pid, root) if match else None
        if match is None or process is None:
            continue
        caller: Caller = {
            "pid": pid,
            "user": owner_name(uid),
            "since": start + process.started,
            "command": safe_text((match["process"] or match["holder"] or match["command"] or "").strip()),
            "memory": int(match["bytes"] or match["held"] or 0),
        }
        yield bool(match["held"]) or match["slot"] == "holds", caller
