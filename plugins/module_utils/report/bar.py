# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# (a bar is what is drawn, and _ what is not used)
"""A host's budget as a bar: parts that add up to its memory, and the same in words.

Pure. Sizes are bytes, places on the bar per cent of MemTotal.
"""

from __future__ import annotations

from typing import TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import readable_size

# In the order of the bar, with their names in words.
PARTS = {
    "recommended": "recommended agents",
    "further": "further agents",
    "headroom": "headroom",
    "reserve": "system reserve",
    "unusable": "not usable by processes",
}


class Segment(TypedDict):
    part: str  #: One of PARTS.
    start: float
    width: float


class Bar(TypedDict):
    segments: list[Segment]  #: From 0 to 100 without gaps; parts that are empty are left out.
    taken: int | None  #: What all sessions take now; None where the kernel does not say.
    load: float | None  #: The same as a share of what the agents may take; above 1 where they take more.
    taken_width: float  #: And on the bar, at most 100.
    words: str  #: All of it as a sentence.


def bar(budget: Budget, taken: int | None) -> Bar:
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
            start, end = _place(below, budget), _place(below + size, budget)
            segments.append({"part": part, "start": start, "width": round(end - start, 2)})
        below += size
    told = [f"{readable_size(sizes[segment['part']])} {PARTS[segment['part']]}" for segment in segments]
    if taken is not None:
        told.append(f"sessions take {readable_size(taken)} now")
    return {
        "segments": segments,
        "taken": taken,
        "load": None if taken is None else round(taken / budget["available"], 4),
        "taken_width": min(100.0, _place(taken or 0, budget)),
        "words": f"of {readable_size(budget['total'])}: {', '.join(told)}",
    }


def _place(size: int, budget: Budget) -> float:
    return round(100 * size / budget["total"], 2)
