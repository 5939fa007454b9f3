# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# (a bar is what is drawn, and _ what is not used)
"""Who holds the host's slots and who waits for one.

A slot is held while its file is locked. The lock was taken by flock(1), which has ended, so the kernel can't say by
whom: the record beside the slot names a process, which root's view checks for the open file. Waiters are flock(1)s
that the kernel keeps waiting; whom they wait for is their parent.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.state.look import owner_name
from ansible_collections.nova.agent_host.plugins.module_utils.status.processes import (
    FileKey,
    booted,
    command_line,
    file_key,
    open_files,
    pids,
    read_process,
)

_SLOT = re.compile(r"slot\.([1-9][0-9]{0,3})")
_RECORD = re.compile(r"([1-9][0-9]{0,8}) ")
_LOCK = re.compile(
    r"[0-9]+: +(?P<waits>-> )?FLOCK .* (?P<pid>-?[0-9]+) (?P<device>[0-9a-f]+:[0-9a-f]+):(?P<inode>[0-9]+) "
)
# The number that the kernel gives the namespace of the processes of the host itself.
_HOST_PIDS = "pid:[4026531836]"


class Caller(TypedDict):
    """A command that holds a slot or waits for one."""

    pid: int | None  #: None where nothing tells which process it is.
    user: str | None
    since: float | None  #: When the process started, in seconds since the epoch.
    command: str


class Holder(Caller):
    slot: int
    verified: bool  #: Whether the process was seen to have the slot's file open; else its record says so.


class Slots(TypedDict):
    folder: str
    total: int | None  #: None where there are none, or they may not be read.
    held: list[Holder]
    waiting: list[Caller] | None  #: In the order in which they get slots; None where only root may know.
    problem: str | None


class _Lock(NamedTuple):
    pid: int
    waits: bool
    key: FileKey


def observe_slots(folder: str, root: str = "/") -> Slots:
    """The slots in ``folder`` of the host below ``root``."""
    place = os.path.join(root, folder.lstrip("/"))
    found: Slots = {"folder": folder, "total": None, "held": [], "waiting": None, "problem": None}
    try:
        names = filter(None, (_SLOT.fullmatch(name) for name in os.listdir(place)))
        keys = {int(name[1]): file_key(os.stat(f"{place}/{name[0]}")) for name in names}
        turn = file_key(os.stat(f"{place}/turn"))
    except FileNotFoundError:
        found["problem"] = f"there are none in {folder}: role agent_wrappers makes them"
        return found
    except PermissionError:
        found["problem"] = "may be read by agents and root alone"
        return found
    locks = list(_locks(root))
    complete = _sees_all_locks(root)
    found["total"] = len(keys)
    for slot, key in sorted(keys.items()):
        locked = any(lock.key == key and not lock.waits for lock in locks)
        if locked or (not complete and _is_locked(f"{place}/slot.{slot}")):
            found["held"].append(_holder(slot, key, f"{place}/holder.{slot}", root))
    found["waiting"] = _waiting(locks, complete, turn, set(keys.values()), root)
    return found


def _locks(root: str) -> Iterator[_Lock]:
    try:
        with open(os.path.join(root, "proc/locks"), encoding="ascii") as file:
            lines = file.readlines()
    except OSError:
        return
    for match in filter(None, map(_LOCK.match, lines)):
        major, minor = (int(number, 16) for number in match["device"].split(":"))
        yield _Lock(int(match["pid"]), bool(match["waits"]), (os.makedev(major, minor), int(match["inode"])))


def _sees_all_locks(root: str) -> bool:
    """In a container the kernel leaves out locks whose taker has ended, and with them who waits for these."""
    try:
        return os.readlink(os.path.join(root, "proc/self/ns/pid")) == _HOST_PIDS
    except OSError:
        return False


def _is_locked(path: str) -> bool:
    """Asks by a shared lock for an instant: who tries the slot in it queues, and gets it."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _holder(slot: int, key: FileKey, record: str, root: str) -> Holder:
    try:
        with open(record, encoding="ascii", errors="replace") as file:
            match = _RECORD.match(file.read(20))
    except OSError:
        match = None
    unknown: Caller = {"pid": None, "user": None, "since": None, "command": ""}
    caller = (match and _caller(int(match[1]), root)) or unknown
    files = open_files(caller["pid"], root) if caller["pid"] else None
    if files is not None and key not in files:
        caller = unknown  # the record names a process that has nothing to do with the slot
    return {**caller, "slot": slot, "verified": files is not None and key in files}


def _caller(pid: int, root: str) -> Caller | None:
    process = read_process(pid, root)
    if process is None:
        return None
    return {
        "pid": pid,
        "user": owner_name(process.uid),
        "since": booted(root) + process.started,
        "command": command_line(pid, root),
    }


def _waiting(
    locks: Iterable[_Lock], complete: bool, turn: FileKey, slots: set[FileKey], root: str
) -> list[Caller] | None:
    """The wrappers whose flock(1)s wait. The head of the queue waits for slots, the others for the turn."""
    waiting = {lock.pid: lock.key in slots for lock in locks if lock.waits and lock.key in {turn, *slots}}
    if not complete:
        for pid in pids(root):
            process = read_process(pid, root)
            if process is None or process.name != "flock" or pid in waiting:
                continue
            files = open_files(pid, root)
            if files is None:
                return None
            if files & {turn, *slots}:
                waiting[pid] = bool(files & slots)
    found: dict[int, tuple[bool, Caller]] = {}
    for pid, is_head in waiting.items():
        process = read_process(pid, root)
        caller = process and _caller(process.parent, root)
        if process and caller:
            found[process.parent] = (is_head or found.get(process.parent, (False,))[0], caller)
    ordered = sorted(found.values(), key=lambda item: (not item[0], item[1]["since"] or 0))
    return [caller for _, caller in ordered]
