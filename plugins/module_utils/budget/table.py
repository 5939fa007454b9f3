# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Tables as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from ..sizes import GIB
from ..text import counted, safe_text
from .arithmetic import Budget, name_of_limit

_RULE = "-" * 31


def budget_table(budget: Budget) -> str:
    """A budget, one number per line, in GiB with one decimal as in the operational guide."""
    return "\n".join(
        (
            _size("Total (MemTotal)", budget["total"]),
            _size("Usable", budget["usable"]) + f"  limited by {name_of_limit(budget['limited_by'])}",
            _RULE,
            _size("System reserve", budget["system_reserve"]),
            _size("Headroom", budget["headroom"]),
            _size("Available", budget["available"]),
            _RULE,
            _size("Per agent", budget["per_agent"]),
            _count("Maximum", budget["max_agents"], "agent"),
            _count("Recommended", budget["recommended_agents"], "agent"),
            _count("Slots", budget["slots"], "cargo command", " at once"),
            _count("Jobs", budget["jobs"], "job", " of one cargo command"),
        )
    )


def columns(rows: Sequence[Sequence[object]], left: int) -> str:
    """Rows in aligned columns: the first ``left`` columns to the left, the others to the right. None is a dash."""
    cells = [["-" if cell is None else safe_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in cells
    )


def _size(label: str, size: int) -> str:
    return f"{label:<18}{f'{size / GIB:,.1f} GiB':>13}"


def _count(label: str, number: int | None, noun: str, rest: str = "") -> str:
    if number is None:
        return f"{label:<18}{'-':>9} (the number of CPUs is not known)"
    value, words = counted(number, noun).split(" ", 1)
    return f"{label:<18}{value:>9} {words}{rest}"
