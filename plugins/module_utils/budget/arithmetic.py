# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What a host can hold: the one piece of arithmetic behind every number that the collection writes or prints.

The shares are the operational guide's own figures for a host of 1,536 GiB (32 GiB for the system, 200 GiB of headroom,
300 of 326 agents), so that its table comes out exactly. All sizes are bytes.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple, TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, KIB, MIB, format_size, readable_size


class Budget(TypedDict):
    """The schema of the dictionary that the filter memory_budget and the module agent_host_info return."""

    total: int  #: Bytes of memory that the host reports (MemTotal).
    usable: int  #: Bytes of it that processes can get: without reserved huge pages, within a container's limit.
    system_reserve: int  #: Bytes kept for the system and the kernel.
    headroom: int  #: Bytes kept free for spikes.
    available: int  #: Bytes for all agents together: usable - system_reserve - headroom.
    per_agent: int  #: Bytes of address space that a wrapped command may take (RLIMIT_AS).
    max_agents: int  #: Agents that fit if each takes all of per_agent; at least 1.
    recommended_agents: int  #: Agents that are advised, from 1 to max_agents.
    jobs: int | None  #: Parallel jobs of one cargo command; None without a number of CPUs.
    slots: int | None  #: Cargo commands that may compile at once on the host; None without a number of CPUs.
    limited_by: str  #: What bounds usable: "memtotal" or "cgroup" (a container's limit).
    explanation: list[str]  #: Each step of the sum as one line, in order.


class BudgetError(ValueError):
    """The numbers don't fit together. The message has them and names the variable to change."""


class Share(NamedTuple):
    """A part that is kept back: a share of the usable memory, but not less than a fixed size."""

    smallest: int
    share: Fraction

    def of(self, usable: int) -> int:
        return max(self.smallest, math.floor(usable * self.share))

    def __str__(self) -> str:
        return f"{self.share} of usable, at least {readable_size(self.smallest)}" if self.share else "as set"


DEFAULT_PER_AGENT = 4 * GIB
SYSTEM_RESERVE = Share(smallest=GIB, share=Fraction(32, 1536))
HEADROOM = Share(smallest=GIB, share=Fraction(200, 1536))
RECOMMENDED = Fraction(12, 13)

# As plays know these: the option of the filters, and the variable of the roles that is passed to it.
PER_AGENT_NAME = "per_agent (agent_policy_memory_per_agent)"
SYSTEM_RESERVE_NAME = "system_reserve (agent_policy_system_reserve)"
HEADROOM_NAME = "headroom (agent_policy_headroom)"
RECOMMENDED_AGENTS_NAME = "recommended_agents (agent_policy_recommended_agents)"

# One build gains little from more jobs than this, while its waiting processes take memory of their own.
JOBS_WORTH_HAVING = 32

# rustc needs about this much to start; below it nobody is helped by the advice to lower per_agent.
SMALLEST_PER_AGENT = 512 * MIB


def memory_budget(
    total: int,
    cpus: int | None = None,
    hugepages: int = 0,
    cgroup_limit: int | None = None,
    per_agent: int = DEFAULT_PER_AGENT,
    system_reserve: int | None = None,
    headroom: int | None = None,
    recommended_agents: int | None = None,
) -> Budget:
    """Compute the budget of a host.

    Bytes: total (MemTotal), hugepages (reserved ones of all sizes), cgroup_limit (the container's, None where there is
    none), per_agent, and system_reserve and headroom in place of the rule's. Counts: cpus (None: not known), and
    recommended_agents in place of the rule's. Raises BudgetError where not even one agent fits or an override does not.
    """
    for name, value in (("total", total), ("per_agent", per_agent), ("cpus", 1 if cpus is None else cpus)):
        if value < 1:
            raise BudgetError(f"{name} is {value}; it must be at least 1")

    unreserved = total - hugepages
    bound = unreserved if cgroup_limit is None else min(unreserved, cgroup_limit)
    # Whole KiB, the unit of MemTotal: otherwise one byte more could cost a byte of each share.
    usable = max(0, bound) // KIB * KIB
    reserve_rule = SYSTEM_RESERVE if system_reserve is None else Share(system_reserve, Fraction(0))
    headroom_rule = HEADROOM if headroom is None else Share(headroom, Fraction(0))
    reserve, spare = reserve_rule.of(usable), headroom_rule.of(usable)
    available = usable - reserve - spare
    limited_by = "memtotal" if bound == unreserved else "cgroup"
    if available < per_agent:
        raise BudgetError(_too_small(usable, limited_by, per_agent, reserve_rule, headroom_rule))

    max_agents = available // per_agent
    recommended = max(1, math.floor(max_agents * RECOMMENDED)) if recommended_agents is None else recommended_agents
    if not 1 <= recommended <= max_agents:
        raise BudgetError(
            f"{RECOMMENDED_AGENTS_NAME} is {recommended}, but {readable_size(available)} hold {max_agents} agents of"
            f" {readable_size(per_agent)}; set it from 1 to {max_agents}, or lower {PER_AGENT_NAME}"
        )
    slots, jobs = (None, None) if cpus is None else (recommended, jobs_of_one_command(cpus, max_agents))

    container = "no container limit" if cgroup_limit is None else f"a container limit of {readable_size(cgroup_limit)}"
    return {
        "total": total,
        "usable": usable,
        "system_reserve": reserve,
        "headroom": spare,
        "available": available,
        "per_agent": per_agent,
        "max_agents": max_agents,
        "recommended_agents": recommended,
        "jobs": jobs,
        "slots": slots,
        "limited_by": limited_by,
        "explanation": [
            f"usable = {readable_size(usable)}: the lower of MemTotal {readable_size(total)} without"
            f" {readable_size(hugepages)} of reserved huge pages, and {container}; {limited_by} is what binds",
            f"system_reserve = {readable_size(reserve)}: {reserve_rule}",
            f"headroom = {readable_size(spare)}: {headroom_rule}",
            f"available = {readable_size(available)}: usable - system_reserve - headroom",
            f"max_agents = {max_agents}: available / per_agent ({readable_size(per_agent)}), rounded down",
            f"recommended_agents = {recommended}: "
            + (f"{RECOMMENDED} of max_agents, rounded down, at least 1" if recommended_agents is None else "as set"),
            "slots, jobs: not known without the number of CPUs"
            if cpus is None
            else f"slots = {slots}, jobs = {jobs}: a command for each recommended agent; the least of {cpus} CPUs,"
            f" {JOBS_WORTH_HAVING} and max_agents",
        ],
    }


def jobs_of_one_command(cpus: int, max_agents: int) -> int:
    """How many processes one cargo command runs side by side, where nothing else says so."""
    return min(cpus, JOBS_WORTH_HAVING, max_agents)


def smallest_host(per_agent: int, reserve: Share = SYSTEM_RESERVE, headroom: Share = HEADROOM) -> int:
    """The fewest usable bytes, in whole KiB, that hold one agent of per_agent bytes."""
    # Each part is the larger of a constant and a straight line: the host is the largest of the four solutions.
    solutions = [
        Fraction(per_agent + (reserve.smallest if fixed_reserve else 0) + (headroom.smallest if fixed_headroom else 0))
        / (1 - (0 if fixed_reserve else reserve.share) - (0 if fixed_headroom else headroom.share))
        for fixed_reserve in (True, False)
        for fixed_headroom in (True, False)
    ]
    return math.ceil(max(solutions) / KIB) * KIB


def _too_small(usable: int, limited_by: str, per_agent: int, reserve_rule: Share, headroom_rule: Share) -> str:
    """The sum that doesn't fit, and every single change that would make it fit."""
    reserve, headroom = reserve_rule.of(usable), headroom_rule.of(usable)
    advice = []
    for name, room, settable, smallest in (
        (HEADROOM_NAME, usable - reserve - per_agent, not headroom_rule.share, MIB),
        (SYSTEM_RESERVE_NAME, usable - headroom - per_agent, not reserve_rule.share, MIB),
        (PER_AGENT_NAME, usable - reserve - headroom, True, SMALLEST_PER_AGENT),
    ):
        if settable and room >= smallest:
            advice.append(f"lower {name} to at most {format_size(room // MIB * MIB)}")
    host = smallest_host(per_agent, reserve_rule, headroom_rule)
    advice.append(f"use a host with at least {format_size(-(-host // GIB) * GIB)}")
    return (
        f"no agent fits into {readable_size(usable)} of usable memory (limited by {limited_by}):"
        f" system_reserve {readable_size(reserve)} + headroom {readable_size(headroom)}"
        f" + per_agent {readable_size(per_agent)} = {readable_size(reserve + headroom + per_agent)};"
        f" {', or '.join(advice)}"
    )
