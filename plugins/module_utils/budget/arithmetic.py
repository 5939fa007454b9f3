# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Compute how many agents fit on a host. Every number that the collection writes or prints comes from here.

The shares are the figures of the operational guide for a host of 1,536 GiB (32 GiB for the system, 200 GiB of headroom,
300 of 326 agents), so that the result is the guide's table exactly. Sizes are bytes.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple, TypedDict

from ..sizes import GIB, KIB, MIB, format_size, readable_size
from ..text import counted
from .host import HostSize
from .policy import BudgetPolicy, option_name


class Budget(TypedDict):
    """The result of filter memory_budget, and ``budget`` in the result of module agent_host_info."""

    total: int  #: Memory that the host reports (MemTotal).
    usable: int  #: Memory that processes can get: without reserved huge pages, within a container's limit.
    system_reserve: int  #: Memory kept for the system and the kernel.
    headroom: int  #: Memory kept free for spikes.
    available: int  #: Memory for all agents together: usable - system_reserve - headroom.
    per_agent: int  #: Address space that a wrapped command may use (RLIMIT_AS).
    max_agents: int  #: Number of agents that fit if each uses all of per_agent; at least 1.
    recommended_agents: int  #: Recommended number of agents, from 1 to max_agents.
    jobs: int | None  #: Parallel jobs of one cargo command; None if the number of CPUs is not known.
    slots: int | None  #: Cargo commands that may compile at once; None if the number of CPUs is not known.
    limited_by: str  #: What limits usable: "memtotal" or "cgroup" (a container's limit).
    explanation: list[str]  #: Each step of the calculation as one line.


class BudgetError(ValueError):
    """The policy does not fit the host. The message has the numbers and names the variable to change."""


class Share(NamedTuple):
    """Memory that is kept back: a share of the usable memory, but not less than a fixed size."""

    smallest: int
    share: Fraction

    def of(self, usable: int) -> int:
        return max(self.smallest, math.floor(usable * self.share))

    def __str__(self) -> str:
        return f"{self.share} of usable, at least {readable_size(self.smallest)}" if self.share else "as set"


SYSTEM_RESERVE = Share(smallest=GIB, share=Fraction(32, 1536))
HEADROOM = Share(smallest=GIB, share=Fraction(200, 1536))
RECOMMENDED = Fraction(12, 13)

# One build gains little from more jobs than this. A second build in parallel gains much more.
MOST_USEFUL_JOBS = 32

# rustc needs about this much to start, so errors don't suggest to lower per_agent further.
SMALLEST_PER_AGENT = 512 * MIB


def compute_budget(policy: BudgetPolicy, host: HostSize) -> Budget:
    """Compute the budget of a host. Raises BudgetError if no agent fits, or fewer than recommended_agents."""
    numbers = {"total": host.total, "per_agent": policy.per_agent, "cpus": 1 if host.cpus is None else host.cpus}
    for name, value in numbers.items():
        if value < 1:
            raise BudgetError(f"{name} is {value}; it must be at least 1")

    unreserved = host.total - host.hugepages
    bound = unreserved if host.cgroup_limit is None else min(unreserved, host.cgroup_limit)
    # Whole KiB, the unit of MemTotal. Otherwise one more byte could cost one byte of each share.
    usable = max(0, bound) // KIB * KIB
    reserve_rule, headroom_rule = _rules(policy)
    reserve, headroom = reserve_rule.of(usable), headroom_rule.of(usable)
    available = usable - reserve - headroom
    limited_by = "memtotal" if bound == unreserved else "cgroup"
    if available < policy.per_agent:
        raise BudgetError(_too_small(policy, usable, limited_by))

    max_agents = available // policy.per_agent
    recommended = policy.recommended_agents
    if recommended is None:
        recommended = max(1, math.floor(max_agents * RECOMMENDED))
    if not 1 <= recommended <= max_agents:
        raise BudgetError(
            f"{option_name('recommended_agents')} is {recommended}, but {readable_size(available)} hold"
            f" {counted(max_agents, 'agent')} of {readable_size(policy.per_agent)}; set it from 1 to {max_agents},"
            f" or lower {option_name('per_agent')}"
        )
    slots, jobs = (None, None) if host.cpus is None else (recommended, jobs_of_one_command(host.cpus, max_agents))

    budget: Budget = {
        "total": host.total,
        "usable": usable,
        "system_reserve": reserve,
        "headroom": headroom,
        "available": available,
        "per_agent": policy.per_agent,
        "max_agents": max_agents,
        "recommended_agents": recommended,
        "jobs": jobs,
        "slots": slots,
        "limited_by": limited_by,
        "explanation": [],
    }
    budget["explanation"] = _explanation(budget, policy, host)
    return budget


def name_of_limit(limited_by: str) -> str:
    return "MemTotal" if limited_by == "memtotal" else "the container's limit"


def jobs_of_one_command(cpus: int, max_agents: int) -> int:
    """How many compiler processes one cargo command runs at once, if nothing else says so."""
    return min(cpus, MOST_USEFUL_JOBS, max_agents)


def smallest_host(policy: BudgetPolicy) -> int:
    """The smallest usable memory, in whole KiB, with which one agent fits."""
    reserve, headroom = _rules(policy)
    # Each part is the larger of a constant and a share, so the host is the largest of the four solutions.
    solutions = [
        Fraction(policy.per_agent + fixed_reserve * reserve.smallest + fixed_headroom * headroom.smallest)
        / (1 - (1 - fixed_reserve) * reserve.share - (1 - fixed_headroom) * headroom.share)
        for fixed_reserve in (0, 1)
        for fixed_headroom in (0, 1)
    ]
    return math.ceil(max(solutions) / KIB) * KIB


def _rules(policy: BudgetPolicy) -> tuple[Share, Share]:
    return (
        SYSTEM_RESERVE if policy.system_reserve is None else Share(policy.system_reserve, Fraction(0)),
        HEADROOM if policy.headroom is None else Share(policy.headroom, Fraction(0)),
    )


def _explanation(budget: Budget, policy: BudgetPolicy, host: HostSize) -> list[str]:
    reserve_rule, headroom_rule = _rules(policy)
    limit = host.cgroup_limit
    container = "no container limit" if limit is None else f"the container limit {readable_size(limit)}"
    return [
        f"usable = {readable_size(budget['usable'])}: the lower of MemTotal {readable_size(host.total)} minus"
        f" {readable_size(host.hugepages)} of reserved huge pages, and {container};"
        f" limited by {name_of_limit(budget['limited_by'])}",
        f"system_reserve = {readable_size(budget['system_reserve'])}: {reserve_rule}",
        f"headroom = {readable_size(budget['headroom'])}: {headroom_rule}",
        f"available = {readable_size(budget['available'])}: usable - system_reserve - headroom",
        f"max_agents = {budget['max_agents']}: available / per_agent ({readable_size(policy.per_agent)}), rounded down",
        f"recommended_agents = {budget['recommended_agents']}: "
        + (f"{RECOMMENDED} of max_agents, rounded down, at least 1" if policy.recommended_agents is None else "as set"),
        "slots, jobs: not known without the number of CPUs"
        if host.cpus is None
        else f"slots = {budget['slots']}, jobs = {budget['jobs']}: a command for each recommended"
        f" agent; the lowest of {host.cpus} CPUs, {MOST_USEFUL_JOBS} and max_agents",
    ]


def _too_small(policy: BudgetPolicy, usable: int, limited_by: str) -> str:
    """The calculation that does not fit, and each single change that makes it fit."""
    reserve_rule, headroom_rule = _rules(policy)
    reserve, headroom, per_agent = reserve_rule.of(usable), headroom_rule.of(usable), policy.per_agent
    advice = [
        f"lower {option_name(option)} to at most {format_size(most // MIB * MIB)}"
        for option, most, is_set, smallest in (
            ("headroom", usable - reserve - per_agent, policy.headroom is not None, MIB),
            ("system_reserve", usable - headroom - per_agent, policy.system_reserve is not None, MIB),
            ("per_agent", usable - reserve - headroom, True, SMALLEST_PER_AGENT),
        )
        if is_set and most >= smallest
    ]
    advice.append(f"use a host with at least {format_size(-(-smallest_host(policy) // GIB) * GIB)}")
    return (
        f"no agent fits into {readable_size(usable)} of usable memory (limited by {name_of_limit(limited_by)}):"
        f" system_reserve {readable_size(reserve)} + headroom {readable_size(headroom)}"
        f" + per_agent {readable_size(per_agent)} = {readable_size(reserve + headroom + per_agent)};"
        f" {', or '.join(advice)}"
    )
