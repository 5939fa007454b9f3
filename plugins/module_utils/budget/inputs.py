# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Turn what plays hold (sizes, facts, counts) into the arguments of the budget: shared by its filters and modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import (
    DEFAULT_PER_AGENT,
    HEADROOM_NAME,
    PER_AGENT_NAME,
    RECOMMENDED_AGENTS_NAME,
    SYSTEM_RESERVE_NAME,
    Budget,
    BudgetError,
    memory_budget,
)
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import LARGEST, MIB, parse_size

FORMS = "a size such as '1536G', bytes as an integer, ansible_facts, or what nova.agent_host.agent_host_info returns"


class HostSize(NamedTuple):
    """What the budget needs to know about a host: bytes, and the number of CPUs where it is known."""

    total: int
    hugepages: int
    cgroup_limit: int | None
    cpus: int | None


def host_size(memory: object) -> HostSize:
    """Read a host's size from any of the forms in FORMS. Raises SizeError or BudgetError."""
    if isinstance(memory, Mapping):
        if isinstance(memory.get("memory"), Mapping):
            return _from_host_info(memory, memory["memory"])
        if "memtotal_mb" in memory:
            return _from_ansible_facts(memory)
        keys = ", ".join(sorted(str(key) for key in memory)[:8]) or "no keys"
        raise BudgetError(f"memory is a dictionary with {keys}; give {FORMS}")
    if isinstance(memory, int) and not isinstance(memory, bool):
        return HostSize(count(memory, "memory"), 0, None, None)
    return HostSize(parse_size(memory, "memory"), 0, None, None)


def budget_of(
    memory: object,
    *,
    per_agent: object = None,
    system_reserve: object = None,
    headroom: object = None,
    cpus: object = None,
    recommended_agents: object = None,
) -> Budget:
    """Compute the budget of the host that ``memory`` describes (see FORMS).

    Sizes are texts such as '4G', counts are integers or their text; None leaves it to the rule, or to what ``memory``
    knows. Raises SizeError or BudgetError.
    """
    host = host_size(memory)
    return memory_budget(
        total=host.total,
        cpus=host.cpus if cpus is None else count(cpus, "cpus"),
        hugepages=host.hugepages,
        cgroup_limit=host.cgroup_limit,
        per_agent=DEFAULT_PER_AGENT if per_agent is None else parse_size(per_agent, PER_AGENT_NAME),
        system_reserve=_optional_size(system_reserve, SYSTEM_RESERVE_NAME),
        headroom=_optional_size(headroom, HEADROOM_NAME),
        recommended_agents=None if recommended_agents is None else count(recommended_agents, RECOMMENDED_AGENTS_NAME),
    )


def _from_host_info(info: Mapping[object, object], memory: Mapping[object, object]) -> HostSize:
    limit = memory.get("cgroup_limit")
    return HostSize(
        total=count(memory.get("total"), "memory.total"),
        hugepages=count(memory.get("hugepages"), "memory.hugepages", smallest=0),
        cgroup_limit=None if limit is None else count(limit, "memory.cgroup_limit"),
        cpus=count(info.get("cpus"), "cpus"),
    )


def _from_ansible_facts(facts: Mapping[object, object]) -> HostSize:
    """MiB, and blind to containers' limits and huge pages. processor_nproc knows affinity, processor_vcpus does not."""
    cpus = facts.get("processor_nproc", facts.get("processor_vcpus"))
    return HostSize(
        total=count(facts["memtotal_mb"], "ansible_facts.memtotal_mb") * MIB,
        hugepages=0,
        cgroup_limit=None,
        cpus=None if cpus is None else count(cpus, "ansible_facts.processor_nproc"),
    )


def _optional_size(text: object, name: str) -> int | None:
    return None if text is None else parse_size(text, name)


def count(value: object, name: str, smallest: int = 1) -> int:
    """A count or a number of bytes: an integer, or its digits (the command line gives texts)."""
    text = str(value) if isinstance(value, (int, str)) else ""
    if not re.fullmatch(r"[0-9]{1,19}", text) or not smallest <= int(text) <= LARGEST:
        raise BudgetError(f"{name} is {value!r}; it must be a whole number from {smallest} to {LARGEST}")
    return int(text)
