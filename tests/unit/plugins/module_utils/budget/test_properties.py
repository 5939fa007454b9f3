# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Properties of every budget, checked with generated hosts."""

from __future__ import annotations

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import (
    Budget,
    BudgetError,
    smallest_host,
)
from ansible_collections.nova.agent_host.plugins.module_utils.budget.nova import NovaMemory, nova_memory_split
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import BudgetPolicy
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget
from hypothesis import assume, example, given
from hypothesis import strategies as st

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

# From too little for one agent to more than any machine has; bytes, not only round numbers.
TOTALS = st.integers(1 * GIB, 64 << 40)
PER_AGENT = st.integers(512 * MIB, 64 * GIB)
CPUS = st.integers(1, 1024)
HOSTS = st.fixed_dictionaries(
    {"total": TOTALS, "cpus": CPUS, "per_agent": PER_AGENT},
    optional={
        "hugepages": st.integers(0, 1 << 40),
        "cgroup_limit": st.integers(1, 64 << 40),
        "system_reserve": st.integers(KIB, 64 * GIB),
        "headroom": st.integers(KIB, 512 * GIB),
    },
)


def budget_or_skip(**host: Any) -> Budget:
    try:
        return memory_budget(**host)
    except BudgetError:
        assume(False)
        raise


def agents(**host: Any) -> int:
    """0 if no agent fits."""
    try:
        return memory_budget(**host)["max_agents"]
    except BudgetError:
        return 0


@given(host=HOSTS)
def test_parts_sum_to_the_whole(host: dict[str, int]) -> None:
    budget = budget_or_skip(**host)
    assert budget["system_reserve"] + budget["headroom"] + budget["available"] == budget["usable"]
    bound = min(host["total"] - host.get("hugepages", 0), host.get("cgroup_limit", host["total"]))
    assert bound - KIB < budget["usable"] <= bound


@given(host=HOSTS)
def test_agents_fill_the_available_memory(host: dict[str, int]) -> None:
    budget = budget_or_skip(**host)
    assert 0 <= budget["available"] - budget["max_agents"] * budget["per_agent"] < budget["per_agent"]


@given(host=HOSTS, more=st.integers(1, 1 << 40))
@example(
    host={"total": (192 << 29) - 1, "cpus": 1, "per_agent": (163 << 29) + 1}, more=1
)  # both shares round up at once
def test_more_memory_never_gives_fewer_agents(host: dict[str, int], more: int) -> None:
    assert agents(**{**host, "total": host["total"] + more}) >= agents(**host)


@given(host=HOSTS, more=st.integers(1, 1 << 36))
def test_larger_agents_never_give_more_agents(host: dict[str, int], more: int) -> None:
    assert agents(**{**host, "per_agent": host["per_agent"] + more}) <= agents(**host)


@given(host=HOSTS)
def test_recommended_is_from_one_to_the_maximum(host: dict[str, int]) -> None:
    budget = budget_or_skip(**host)
    assert 1 <= budget["recommended_agents"] <= budget["max_agents"]


@given(host=HOSTS)
def test_jobs_of_a_command_fit_and_each_agent_has_one(host: dict[str, int]) -> None:
    budget = budget_or_skip(**host)
    slots, jobs = budget["slots"], budget["jobs"]
    assert slots is not None and jobs is not None
    assert slots == budget["recommended_agents"]
    assert 1 <= jobs <= host["cpus"]
    assert jobs * budget["per_agent"] <= budget["available"]


@given(per_agent=PER_AGENT)
def test_smallest_host_has_one_agent_and_a_smaller_host_none(per_agent: int) -> None:
    host = smallest_host(BudgetPolicy(per_agent))
    assert agents(total=host, per_agent=per_agent) == 1
    assert agents(total=host - 2 * KIB, per_agent=per_agent) == 0


@given(
    host=st.integers(1, 64 << 40),
    cgroup_limit=st.none() | st.integers(1, 64 << 40),
    address_space=st.none() | st.integers(1, 64 << 40),
)
def test_parts_of_nova_sum_to_its_total(host: int, cgroup_limit: int | None, address_space: int | None) -> None:
    split: NovaMemory = nova_memory_split(host, cgroup_limit, address_space)
    parts = split["query_cache"], split["syntax_trees"], split["indexes"], split["type_info"], split["other"]
    assert sum(parts) == split["total"]
    assert min(parts) >= 0
    assert 512 * MIB <= split["total"] <= 4 * GIB
