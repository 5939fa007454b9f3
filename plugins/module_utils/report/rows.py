# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# (a bar is what is drawn, and _ what is not used)
"""What the report's page tells of each host and of all: numbers, and in which order; how it looks is the page's matter.

Pure. All sizes are bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.audit.record import ItemView, Record
from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import HOST_STATUSES
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget
from ansible_collections.nova.agent_host.plugins.module_utils.compare.items import DRIFTED, NOTE, UNKNOWN
from ansible_collections.nova.agent_host.plugins.module_utils.report.bar import Bar, bar

SHOWN = 20  # findings of one host that are listed before they are only counted


class Toolchain(TypedDict):
    channels: str  #: The toolchains that the host has, as in "1.92.0, nightly-2026-05-19"; empty where it has none.
    damaged: bool  #: Whether something is wrong with them.
    rank: int  #: Its place among those of all hosts, by version.


class Row(TypedDict):
    """One host. What is not known of it is None."""

    host: str
    rank: int  #: The name's place among all names, counting numbers in them as numbers.
    looked_at: str  #: UTC, as in 2026-01-02T03:04:05Z; empty where nobody looked or noted the time.
    status: str  #: One of audit_report.HOST_STATUSES.
    severity: int  #: The higher, the worse: by status, then by the number of items that drifted.
    why: str  #: What ended the comparison, or empty.
    items: int  #: Items that were compared or were to be.
    drifted: int
    unchecked: int
    findings: list[ItemView]  #: The first SHOWN that are worth telling.
    more: int  #: Findings beyond those.
    memory: int | None
    cpus: int | None
    budget: Budget | None
    parallelism: dict[str, int] | None  #: Slots and jobs that hold there, in the place of the budget's.
    bar: Bar | None
    toolchain: Toolchain | None


class Totals(TypedDict):
    hosts: int
    statuses: dict[str, int]  #: Hosts by status.
    counted: int  #: Hosts whose budget is known: the sums below are over these.
    memory: int
    max_agents: int
    recommended_agents: int
    slots: int


def fleet_rows(hosts: Sequence[tuple[Record, Mapping[str, Any]]]) -> list[Row]:
    """A row a host, the worst first, then by name. Each host comes as its record in an audit and what was observed on
    it (the return of ``policy_look``, with what a host that was not reached has of it)."""
    names = ranks(record["host"] for record, _observed in hosts)
    channels = ranks(_channels(observed) for _record, observed in hosts)
    rows = [_row(record, observed, names, channels) for record, observed in hosts]
    return sorted(rows, key=lambda row: (-row["severity"], row["rank"]))


def fleet_totals(rows: Sequence[Row]) -> Totals:
    statuses = [row["status"] for row in rows]
    budgets = [row["budget"] for row in rows if row["budget"]]
    return {
        "hosts": len(rows),
        "statuses": {status: statuses.count(status) for status in HOST_STATUSES},
        "counted": len(budgets),
        "memory": sum(budget["total"] for budget in budgets),
        "max_agents": sum(budget["max_agents"] for budget in budgets),
        "recommended_agents": sum(budget["recommended_agents"] for budget in budgets),
        "slots": sum(row["parallelism"]["slots"] for row in rows if row["parallelism"]),
    }


def ranks(names: Iterable[str]) -> dict[str, int]:
    """Each name's place in their order, with host2 before host10."""
    return {name: place for place, name in enumerate(sorted(set(names), key=_natural))}


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    # A number is compared by its length first: int() refuses thousands of digits, and a name may have them.
    parts = re.split(r"([0-9]+)", name.casefold())
    numbers = [part.lstrip("0") if place % 2 else part for place, part in enumerate(parts)]
    return [(len(part) if place % 2 else 0, part) for place, part in enumerate(numbers)], name


def _row(record: Record, observed: Mapping[str, Any], names: Mapping[str, int], channels: Mapping[str, int]) -> Row:
    items = record["items"]
    counts = {status: sum(item["status"] == status for item in items) for status in (DRIFTED, UNKNOWN)}
    # What a broken off comparison left out is told once, in the host's own reason.
    kinds = (DRIFTED, NOTE) if "why" in record else (DRIFTED, UNKNOWN, NOTE)
    findings = [item for kind in kinds for item in items if item["status"] == kind]
    budget: Budget | None = observed.get("budget")
    users = observed.get("ceiling", {}).get("users") or {}
    return {
        "host": record["host"],
        "rank": names[record["host"]],
        "looked_at": observed.get("looked_at", ""),
        "status": record["status"],
        "severity": HOST_STATUSES.index(record["status"]) * 1_000_000 + counts[DRIFTED],
        "why": record.get("why", ""),
        "items": len(items),
        "drifted": counts[DRIFTED],
        "unchecked": counts[UNKNOWN],
        "findings": findings[:SHOWN],
        "more": max(0, len(findings) - SHOWN),
        "memory": observed.get("memory", {}).get("total"),
        "cpus": observed.get("cpus"),
        "budget": budget,
        "parallelism": observed.get("parallelism"),
        "bar": bar(budget, users.get("in_use")) if budget else None,
        "toolchain": _toolchain(observed, channels),
    }


def _toolchain(observed: Mapping[str, Any], places: Mapping[str, int]) -> Toolchain | None:
    if "toolchains" not in observed:
        return None
    channels, trees = _channels(observed), observed["toolchains"].values()
    damaged = any(tree["problems"] or not tree["present"] for tree in trees)
    return {"channels": channels, "damaged": damaged, "rank": places[channels]}


def _channels(observed: Mapping[str, Any]) -> str:
    trees = observed.get("toolchains", {}).values()
    return ", ".join(toolchain["channel"] for tree in trees for toolchain in tree["toolchains"])
