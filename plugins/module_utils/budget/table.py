# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A budget as text for a terminal."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB

RULE = "-" * 31


def budget_table(budget: Budget) -> str:
    """Lay out a budget as the operational guide does: a number a line, GiB with one decimal, no final line break."""
    binding = "MemTotal" if budget["limited_by"] == "memtotal" else "the container's limit"
    return "\n".join(
        (
            _size("Total (MemTotal)", budget["total"]),
            _size("Usable", budget["usable"]) + f"  limited by {binding}",
            RULE,
            _size("System reserve", budget["system_reserve"]),
            _size("Headroom", budget["headroom"]),
            _size("Available", budget["available"]),
            RULE,
            _size("Per agent", budget["per_agent"]),
            _count("Maximum", budget["max_agents"], "agents"),
            _count("Recommended", budget["recommended_agents"], "agents"),
            _count("Slots", budget["slots"], "cargo commands at once"),
            _count("Jobs", budget["jobs"], "of one cargo command"),
        )
    )


def _size(label: str, size: int) -> str:
    return f"{label:<18}{f'{size / GIB:,.1f} GiB':>13}"


def _count(label: str, number: int | None, unit: str) -> str:
    return f"{label:<18}{'-':>9} needs the number of CPUs" if number is None else f"{label:<18}{number:>9,} {unit}"
