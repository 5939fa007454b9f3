# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# ("bar" is the bar of the page)
"""The rows and totals of the report page, as numbers. Sizes are bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..audit.report import HOST_STATUSES
from ..budget.arithmetic import Budget
from ..compare.items import DRIFTED, NOTE, UNKNOWN
from ..observed.shapes import Waits
from .bar import Bar, bar

MOST_FINDINGS = 20  # of one host; the others are only counted


@dataclass(frozen=True)
class Finding:
    """An item of the audit that is not ok."""

    kind: str
    name: str
    status: str
    why: str


@dataclass(frozen=True)
class Disk:
    """A file system of a host."""

    path: str
    free: int
    free_percent: int  #: Of bytes or inodes: the smaller one.


@dataclass(frozen=True)
class Seeds:
    """The seeds of role agent_warm on a host."""

    count: int
    bytes: int
    taken: int | None  #: Commands of the last day that copied one.


@dataclass(frozen=True)
class AuditedHost:
    """What the page needs of one host. None and "" if not known."""

    name: str
    status: str  #: One of HOST_STATUSES.
    why: str = ""  #: Why the host could not be compared.
    items: int = 0  #: Number of compared items.
    findings: tuple[Finding, ...] = ()
    looked_at: str = ""  #: UTC, as in 2026-01-02T03:04:05Z.
    memory: int | None = None
    cpus: int | None = None
    budget: Budget | None = None
    slots: int | None = None
    jobs: int | None = None
    used: int | None = None  #: Memory that all sessions use now.
    ceiling: int | None = None  #: The most that sessions may use; None: no ceiling.
    running: int | None = None  #: Agents that run, counted by ``counted_by``.
    counted_by: str = "accounts"
    pressure: Mapping[str, int] = field(default_factory=dict)  #: By resource: hundredths of a percent of the time.
    waits: Waits | None = None  #: How long agents wait for slots and memory.
    disks: tuple[Disk, ...] = ()  #: The fullest first.
    seeds: Seeds | None = None
    channels: str | None = None  #: Installed toolchains, as in "1.92.0, nightly-2026-05-19".
    damaged: bool = False  #: Whether a toolchain is damaged.


@dataclass(frozen=True)
class Row:
    host: AuditedHost
    name_rank: int  #: Position among all names, with host2 before host10.
    toolchain_rank: int | None  #: Position among all toolchains, by version.
    severity: int  #: By status, then by the number of drifted items.
    drifted: int
    unknown: int
    findings: tuple[Finding, ...]  #: The first MOST_FINDINGS, the worst first.
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


def audited_host(record: Mapping[str, Any], observed: Mapping[str, Any]) -> AuditedHost:
    """Convert the record of an audit, and what was observed on the host."""
    items, trees = record["items"], observed.get("toolchains")
    builds = observed.get("parallelism") or {}
    users = observed.get("ceiling", {}).get("users") or {}
    return AuditedHost(
        name=record["host"],
        status=record["status"],
        why=record.get("why", ""),
        items=len(items),
        findings=tuple(
            Finding(item["kind"], item["item"], item["status"], item["why"])
            for item in items
            if item["status"] in (DRIFTED, UNKNOWN, NOTE)
        ),
        looked_at=observed.get("looked_at", ""),
        memory=observed.get("memory", {}).get("total"),
        cpus=observed.get("cpus"),
        budget=observed.get("budget"),
        slots=builds.get("slots"),
        jobs=builds.get("jobs"),
        used=users.get("in_use"),
        ceiling=users.get("memory_max"),
        running=observed.get("running"),
        counted_by=observed.get("counted_by", "accounts"),
        pressure=observed.get("pressure") or {},
        waits=observed.get("waits"),
        disks=tuple(sorted(map(_disk, (observed.get("disks") or {}).items()), key=lambda disk: disk.free_percent)),
        seeds=_seeds(observed.get("seeds"), observed.get("waits")),
        channels=None
        if trees is None
        else ", ".join(toolchain["channel"] for tree in trees.values() for toolchain in tree["toolchains"]),
        damaged=any(tree["problems"] or not tree["present"] for tree in (trees or {}).values()),
    )


def _disk(found: tuple[str, Mapping[str, int]]) -> Disk:
    path, space = found
    return Disk(path, space["free"], space["free_share"] // 100)


def _seeds(found: Sequence[Mapping[str, Any]] | None, waits: Waits | None) -> Seeds | None:
    if not found:
        return None
    return Seeds(len(found), sum(seed["bytes"] for seed in found), waits["seeded"] if waits else None)


def fleet_rows(hosts: Sequence[AuditedHost]) -> list[Row]:
    """One row per host, the worst first, then by name."""
    names = ranks(host.name for host in hosts)
    channels = ranks(host.channels for host in hosts if host.channels is not None)
    rows = [_row(host, names, channels) for host in hosts]
    return sorted(rows, key=lambda row: (-row.severity, row.name_rank))


def fleet_totals(hosts: Sequence[AuditedHost]) -> Totals:
    statuses = [host.status for host in hosts]
    budgets = [host.budget for host in hosts if host.budget]
    return Totals(
        hosts=len(hosts),
        statuses={status: statuses.count(status) for status in HOST_STATUSES},
        counted=len(budgets),
        memory=sum(budget["total"] for budget in budgets),
        max_agents=sum(budget["max_agents"] for budget in budgets),
        recommended_agents=sum(budget["recommended_agents"] for budget in budgets),
        slots=sum(host.slots or 0 for host in hosts),
    )


def ranks(names: Iterable[str]) -> dict[str, int]:
    """The position of each name in natural order, with host2 before host10."""
    return {name: place for place, name in enumerate(sorted(set(names), key=_natural))}


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    # Numbers are compared by length first: int() refuses thousands of digits, which a name may have.
    parts = re.split(r"([0-9]+)", name.casefold())
    numbers = [part.lstrip("0") if place % 2 else part for place, part in enumerate(parts)]
    return [(len(part) if place % 2 else 0, part) for place, part in enumerate(numbers)], name


def _row(host: AuditedHost, names: Mapping[str, int], channels: Mapping[str, int]) -> Row:
    counts = {status: sum(finding.status == status for finding in host.findings) for status in (DRIFTED, UNKNOWN)}
    # If the comparison ended early, `why` covers all items that are unknown.
    order = (DRIFTED, NOTE) if host.why else (DRIFTED, UNKNOWN, NOTE)
    findings = tuple(finding for status in order for finding in host.findings if finding.status == status)
    return Row(
        host=host,
        name_rank=names[host.name],
        toolchain_rank=None if host.channels is None else channels[host.channels],
        severity=HOST_STATUSES.index(host.status) * 1_000_000 + counts[DRIFTED],
        drifted=counts[DRIFTED],
        unknown=counts[UNKNOWN],
        findings=findings[:MOST_FINDINGS],
        more=max(0, len(findings) - MOST_FINDINGS),
        bar=bar(host.budget, host.used) if host.budget else None,
    )
