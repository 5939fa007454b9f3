# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Compare the free space of file systems with their limits, and decide which target folders are removed first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..host.space import Space
from ..sizes import SizeError, format_size, parse_size, readable_size

IDLE = 7 * 86400.0  # seconds; an agent without a build and a process for this time counts as gone
GONE, OVER_SHARE, OTHERS = range(3)
TURNS = ("its agent is gone", "its owner uses more than its share", "least recently used")


@dataclass(frozen=True)
class Mark:
    """The space that must be free: a share of the file system, or bytes. The same share applies to inodes."""

    percent: int = 0
    size: int = 0

    def share(self, space: Space) -> float:
        """From 0. Above 1 if ``size`` is larger than the file system."""
        return self.size / space.size if self.size and space.size else self.percent / 100

    def __str__(self) -> str:
        return format_size(self.size) if self.size else f"{self.percent}%"


def check_mark(name: str, value: Any) -> Mark | None:
    """The value of the variable ``name`` as a mark; None for 0 (off). Raises SizeError."""
    if str(value) == "0":
        return None
    if re.fullmatch(r"[1-9][0-9]?%", str(value)):
        return Mark(percent=int(str(value)[:-1]))
    try:
        return Mark(size=parse_size(value, name))
    except SizeError as error:
        raise SizeError(f"{error}, or a share of the file system from 1% to 99%, or 0 for off") from error


def marks_problem(least: Mark | None, goal: Mark | None, names: tuple[str, str]) -> str:
    """Why ``least`` and ``goal`` (of the variables ``names``) contradict each other; empty if they do not."""
    if (least is None) != (goal is None):
        off, other = names if least is None else names[::-1]
        return f"{off} is 0 and {other} is {least or goal}; set both, or both to 0"
    if (
        least
        and goal
        and bool(least.size) == bool(goal.size)
        and (least.size, least.percent) > (goal.size, goal.percent)
    ):
        return f"{names[0]} is {least} and {names[1]} is {goal}; set the second to the same or more"
    return ""


@dataclass
class Disk:
    """A file system and its marks."""

    path: str  # of its mount
    start: Space
    least: Mark  # the sweep starts if less is free
    goal: Mark  # the sweep ends if so much is free
    now: Space = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.start

    def problem(self) -> str:
        """Why the marks can't be reached; empty if they can."""
        mark = max((self.least, self.goal), key=lambda one: one.share(self.start))
        return (
            f"{mark} must be free, but the file system has {readable_size(self.start.size)}"
            if mark.share(self.start) >= 1
            else ""
        )

    def is_short(self) -> bool:
        return self._is_below_least(self.now)

    def was_short(self) -> bool:
        return self._is_below_least(self.start)

    def is_served(self) -> bool:
        return self.now.free_share() >= max(self.least.share(self.now), self.goal.share(self.now))

    def _is_below_least(self, space: Space) -> bool:
        return not self.problem() and space.free_share() < self.least.share(space)


class Candidate(NamedTuple):
    """A target folder that may be removed."""

    key: int
    uid: int
    used: float  # seconds since the epoch
    size: int  # bytes on the disk
    entries: int
    gone: bool  # its agent is gone


def removal_order(candidates: Sequence[Candidate], space: Space) -> list[tuple[Candidate, int]]:
    """The order of removal, each with its index in TURNS: folders of agents that are gone, folders above the share of
    their owner, all others. In each group the least recently used folder comes first.

    So an owner who makes folders look recently used keeps no more than the share.
    """
    by_owner: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if not candidate.gone:
            by_owner[candidate.uid].append(candidate)
    parts = {uid: _part(owned, space) for uid, owned in by_owner.items()}
    over: set[int] = set()
    for uid, owned in by_owner.items():
        share, left = _share(uid, parts), sorted(owned, key=lambda one: one.used)
        while left and _part(left, space) > share:
            over.add(left.pop(0).key)
    turns = {one.key: GONE if one.gone else OVER_SHARE if one.key in over else OTHERS for one in candidates}
    ordered = sorted(candidates, key=lambda one: (turns[one.key], one.used))
    return [(candidate, turns[candidate.key]) for candidate in ordered]


def _part(owned: Sequence[Candidate], space: Space) -> float:
    """The share of the file system, by bytes or by inodes, whichever is larger, from 0 to 1."""
    size, entries = sum(one.size for one in owned), sum(one.entries for one in owned)
    return max(size / space.size if space.size else 0, entries / space.inodes if space.inodes else 0)


def _share(uid: int, parts: Mapping[int, float]) -> float:
    """The file system divided by the number of owners, or twice the average of the other owners if this is more."""
    others = [part for other, part in parts.items() if other != uid]
    return max(1 / len(parts), 2 * sum(others) / len(others) if others else 0)


def is_gone(used: float, now: float, *, known: bool, at_work: bool) -> bool:
    """``known``: the owner is an agent, or named in the policy. ``at_work``: the owner has a process."""
    return not at_work and (not known or now - used >= IDLE)
