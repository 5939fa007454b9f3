# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# ("bar" is the bar of the page)
"""The rows and totals of the report page, as numbers. Sizes are bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from ..audit.record import ItemView, Record
from ..audit.report import HOST_STATUSES, findings
from ..budget.arithmetic import Budget, BudgetError
from ..compare.items import DRIFTED, UNKNOWN
from ..desired import agent_policy, agent_wrappers
from ..desired.features import host_budget
from ..desired.policy import Policy
from ..observed.shapes import Observation, Waits
from .bar import Bar, bar

MOST_FINDINGS = 20  # of one host; the others are only counted


class Disk(TypedDict):
    """A file system of a host."""

    path: str
    free: int
    free_percent: int  #: Of bytes or inodes: the smaller one.


class Seeds(TypedDict):
    """The seeds of role agent_warm on a host."""

    count: int
    bytes: int
    taken: int | None  #: Commands of the last day that copied one.


class HostView(TypedDict):
    """What the page shows of a host beside its items. None and "" if not known."""

    looked_at: str  #: UTC, as in 2026-01-02T03:04:05Z.
    memory: int | None
    budget: Budget | None
    slots: int | None
    jobs: int | None
    used: int | None  #: Memory that all sessions use now.
    ceiling: int | None  #: The most that sessions may use; None: no ceiling.
    running: int | None  #: Agents that run, counted by ``counted_by``.
    counted_by: str
    pressure: dict[str, int]  #: By resource: hundredths of a percent of the time.
    waits: Waits | None  #: How long agents wait for slots and memory.
    disks: list[Disk]  #: The fullest first.
    seeds: Seeds | None
    channels: str | None  #: Installed toolchains, as in "1.92.0, nightly-2026-05-19".
    damaged: bool  #: Whether a toolchain is damaged.


class Audited(TypedDict):
    """A host of an audit."""

    record: Record
    view: HostView


NOT_SEEN = HostView(
    looked_at="", memory=None, budget=None, slots=None, jobs=None, used=None, ceiling=None, running=None,
    counted_by="", pressure={}, waits=None, disks=[], seeds=None, channels=None, damaged=False,
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    record: Record
    view: HostView
    why: str  #: Why the host could not be compared.
    items: int  #: Number of compared items.
    name_rank: int  #: Position among all names, with host2 before host10.
    toolchain_rank: int | None  #: Position among all toolchains, by version.
    severity: int  #: By status, then by the number of drifted items.
    drifted: int
    unknown: int
    findings: tuple[ItemView, ...]  #: The first MOST_FINDINGS, the worst first.
    more: int  #: Number of the other findings.
    bar: Bar | None


@dataclass(frozen=True)
class Totals:
    hosts: int
    statuses: Mapping[str, int]  #: Number of hosts by status.
    counted: int  #: Hosts whose budget is known. The sums below are over these.
    memory: int
    max_agents: int
    recommended_agents: int
    slots: int


def host_view(policy: Policy, observed: Observation, looked_at: str) -> HostView:
    try:
        budget: Budget | None = host_budget(policy, observed)
    except BudgetError:
        budget = None
    builds = agent_wrappers.parallelism(policy, budget, observed.cpus) if budget else None
    shared, users = policy.of(agent_policy.Variables), observed.ceiling.users
    waits = observed.deep.waits if observed.deep else None
    disks: list[Disk] = [
        {"path": path, "free": space.free, "free_percent": space.free_share // 100}
        for path, space in sorted(observed.disks.items(), key=lambda item: item[1].free_share)
    ]
    trees, seeds = observed.toolchains.values(), observed.warm
    return {
        "looked_at": looked_at,
        "memory": observed.memory["total"],
        "budget": budget,
        "slots": builds.slots if builds else None,
        "jobs": builds.jobs if builds else None,
        "used": users.in_use if users else None,
        "ceiling": users.memory_max if users else None,
        "running": agent_policy.running_agents(shared, observed),
        "counted_by": shared.count_agents,
        "pressure": observed.pressure,
        "waits": waits,
        "disks": disks,
        "seeds": {
            "count": len(seeds),
            "bytes": sum(seed.bytes for seed in seeds),
            "taken": waits["seeded"] if waits else None,
        }
        if seeds
        else None,
        "channels": ", ".join(toolchain.channel for tree in trees for toolchain in tree.toolchains),
        "damaged": any(tree.problems or not tree.present for tree in trees),
    }


def fleet_rows(hosts: Sequence[Audited]) -> list[Row]:
    """One row per host, the worst first, then by name."""
    names = ranks(host["record"]["host"] for host in hosts)
    channels = ranks(channels for host in hosts if (channels := host["view"]["channels"]) is not None)
    rows = [_row(host["record"], host["view"], names, channels) for host in hosts]
    return sorted(rows, key=lambda row: (-row.severity, row.name_rank))


def fleet_totals(hosts: Sequence[Audited]) -> Totals:
    statuses = [host["record"]["status"] for host in hosts]
    budgets = [budget for host in hosts if (budget := host["view"]["budget"])]
    return Totals(
        hosts=len(hosts),
        statuses={status: statuses.count(status) for status in HOST_STATUSES},
        counted=len(budgets),
        memory=sum(budget["total"] for budget in budgets),
        max_agents=sum(budget["max_agents"] for budget in budgets),
        recommended_agents=sum(budget["recommended_agents"] for budget in budgets),
        slots=sum(host["view"]["slots"] or 0 for host in hosts),
    )


def ranks(names: Iterable[str]) -> dict[str, int]:
    """The position of each name in natural order, with host2 before host10."""
    return {name: place for place, name in enumerate(sorted(set(names), key=_natural))}


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    # Numbers are compared by length first: int() refuses thousands of digits, which a name may have.
    parts = re.split(r"([0-9]+)", name.casefold())
    numbers = [part.lstrip("0") if place % 2 else part for place, part in enumerate(parts)]
    return [(len(part) if place % 2 else 0, part) for place, part in enumerate(numbers)], name


def _row(record: Record, view: HostView, names: Mapping[str, int], channels: Mapping[str, int]) -> Row:
    items, shown = record["items"], findings(record)
    drifted, unknown = (sum(item["status"] == status for item in items) for status in (DRIFTED, UNKNOWN))
    return Row(
        record=record,
        view=view,
        why=record.get("why", ""),
        items=len(items),
        name_rank=names[record["host"]],
        toolchain_rank=None if view["channels"] is None else channels[view["channels"]],
        severity=HOST_STATUSES.index(record["status"]) * 1_000_000 + drifted,
        drifted=drifted,
        unknown=unknown,
        findings=tuple(shown[:MOST_FINDINGS]),
        more=max(0, len(shown) - MOST_FINDINGS),
        bar=bar(view["budget"], view["used"]) if view["budget"] else None,
    )
