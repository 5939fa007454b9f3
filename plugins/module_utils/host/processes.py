# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Processes as /proc shows them to the caller. A process can end at any time, and is then left out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    started: float  #: Seconds after the boot.
    rss: int  #: Bytes of memory, including shared pages.


def owners(root: str = "/") -> Iterator[tuple[int, int]]:
    """Pid and uid of each process."""
    proc = os.path.join(root, "proc")
    for name in os.listdir(proc):
        if name.isdigit():
            try:
                uid = os.stat(f"{proc}/{name}").st_uid
            except OSError:
                continue
            yield int(name), uid


def programs(root: str = "/") -> Iterator[tuple[int, str]]:
    """Pid and path of the program of each process, except kernel threads and what the caller may not see."""
    for pid, _uid in owners(root):
        try:
            path = os.readlink(os.path.join(root, f"proc/{pid}/exe"))
        except OSError:
            continue
        yield pid, path


def read_process(pid: int, root: str = "/") -> Process | None:
    """None if the process has ended, or if the caller may not see it."""
    try:
        text = read_proc(root, f"{pid}/stat")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name in parentheses can contain parentheses
    return Process(started=int(fields[19]) / _TICKS, rss=int(fields[21]) * _PAGE)


def booted(root: str) -> float:
    """When the host started, in seconds since the epoch. Raises OSError."""
    return time.time() - float(read_proc(root, "uptime").split()[0])


def others_are_hidden(root: str) -> bool:
    """Whether /proc is mounted so that it hides the processes of other accounts from the caller."""
    try:
        read_proc(root, "1/stat")
    except OSError:
        return True
    return False


def read_proc(root: str, name: str) -> str:
    """Raises OSError. Accounts choose some of the text, so a carriage return is not the end of a line."""
    with open(os.path.join(root, "proc", name), encoding="utf-8", errors="replace", newline="") as file:
        return file.read()
