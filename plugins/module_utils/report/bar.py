# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# ("bar" is the bar of the page)
"""The budget of a host as a bar: parts that add up to its memory, and the same as a sentence.

Sizes are bytes. Positions and widths are in percent of MemTotal.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..budget.arithmetic import Budget
from ..sizes import readable_size

# In the order of the bar.
PARTS = {
    "recommended": "recommended agents",
    "further": "further agents",
    "headroom": "headroom",
    "reserve": "system reserve",
    "unusable": "not usable by processes",
}


@dataclass(frozen=True)
class Segment:
    part: str  #: A key of PARTS.
    start: float
    width: float


@dataclass(frozen=True)
class Bar:
    segments: tuple[Segment, ...]  #: From 0 to 100 without gaps, without empty parts.
    used: int | None  #: Memory that all sessions use now; None if not known.
    load: float | None  #: ``used`` as a share of the agents' memory, possibly above 1.
    used_width: float  #: ``used`` on the bar, at most 100.
    words: str


def bar(budget: Budget, used: int | None) -> Bar:
    agents = budget["recommended_agents"] * budget["per_agent"]
    sizes = {
        "recommended": agents,
        "further": budget["available"] - agents,
        "headroom": budget["headroom"],
        "reserve": budget["system_reserve"],
        "unusable": budget["total"] - budget["usable"],
    }
    segments: list[Segment] = []
    below = 0
    for part, size in sizes.items():
        if size:
            start = _percent(below, budget)
            segments.append(Segment(part, start, round(_percent(below + size, budget) - start, 2)))
        below += size
    words = [f"{readable_size(sizes[segment.part])} {PARTS[segment.part]}" for segment in segments]
    if used is not None:
        words.append(f"sessions use {readable_size(used)} now")
    return Bar(
        segments=tuple(segments),
        used=used,
        load=None if used is None else round(used / budget["available"], 4),
        used_width=min(100.0, _percent(used or 0, budget)),
        words=f"of {readable_size(budget['total'])}: {', '.join(words)}",
    )


def _percent(size: int, budget: Budget) -> float:
    return round(100 * size / budget["total"], 2)
