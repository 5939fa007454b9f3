# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# (a bar is what is drawn, and _ what is not used)
"""Processes as /proc shows them to whoever asks, with nothing in their texts that a terminal would obey."""

from __future__ import annotations

import os
import time
from collections.abc import Container, Iterator
from typing import NamedTuple

from ansible_collections.nova.agent_host.plugins.module_utils.text import safe_text

LONGEST = 200  # characters of a text that agents wrote
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One process. ``started`` is in seconds after the boot, ``rss`` bytes of memory, shared pages included."""

    pid: int
    parent: int
    uid: int
    name: str
    started: float
    rss: int


def harmless(text: str, longest: int = LONGEST) -> str:
    """Agents choose it, and it goes to an administrator's terminal."""
    return safe_text(text, longest)


def pids(root: str) -> Iterator[int]:
    """The processes that may be seen."""
    return (int(name) for name in os.listdir(os.path.join(root, "proc")) if name.isdigit())


def read_process(pid: int, root: str, uids: Container[int] | None = None) -> Process | None:
    """One process; None where it has ended, may not be seen, or is of none of ``uids``."""
    folder = os.path.join(root, "proc", str(pid))
    try:
        uid = os.stat(folder).st_uid
        if uids is not None and uid not in uids:
            return None
        text = _read(f"{folder}/stat")
    except OSError:
        return None
    # The name in parentheses can hold anything, parentheses too.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        uid=uid,
        name=head.partition("(")[2],
        started=int(fields[19]) / _TICKS,
        rss=int(fields[21]) * _PAGE,
    )


def booted(root: str) -> float:
    """When the host started, in seconds since the epoch. Raises OSError."""
    return time.time() - float(_read(os.path.join(root, "proc/uptime")).split()[0])


def others_are_hidden(root: str) -> bool:
    """Whether /proc is mounted so that it hides the processes of others from us."""
    try:
        _read(os.path.join(root, "proc/1/stat"))
    except OSError:
        return True
    return False


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
