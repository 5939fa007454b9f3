# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The calculation: the guide's figures, the limits, and the errors."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import (
    Budget,
    BudgetError,
    smallest_host,
)
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import BudgetPolicy
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40


def test_budget_of_the_host_in_the_guide() -> None:
    budget = memory_budget(1536 * GIB, cpus=192)
    explanation = budget.pop("explanation")  # type: ignore[misc]
    assert budget == {
        "total": 1536 * GIB,
        "usable": 1536 * GIB,
        "system_reserve": 32 * GIB,
        "headroom": 200 * GIB,
        "available": 1304 * GIB,
        "per_agent": 4 * GIB,
        "max_agents": 326,
        "recommended_agents": 300,
        "jobs": 32,
        "slots": 300,
        "limited_by": "memtotal",
    }
    assert explanation == [
        "usable = 1,536 GiB: the lower of MemTotal 1,536 GiB minus 0 MiB of reserved huge pages, and no container limit;"
        " limited by MemTotal",
        "system_reserve = 32 GiB: 1/48 of usable, at least 1 GiB",
        "headroom = 200 GiB: 25/192 of usable, at least 1 GiB",
        "available = 1,304 GiB: usable - system_reserve - headroom",
        "max_agents = 326: available / per_agent (4 GiB), rounded down",
        "recommended_agents = 300: 12/13 of max_agents, rounded down, at least 1",
        "slots = 300, jobs = 32: a command for each recommended agent; the lowest of 192 CPUs, 32 and max_agents",
    ]


@pytest.mark.parametrize(
    ("gib", "agents", "recommended", "slots", "jobs"),
    [(1536, 326, 300, 300, 32), (768, 163, 150, 150, 32), (384, 81, 74, 74, 32), (6, 1, 1, 1, 1)],
)
def test_budgets_of_hosts_with_192_cpus(gib: int, agents: int, recommended: int, slots: int, jobs: int) -> None:
    budget = memory_budget(gib * GIB, cpus=192)
    assert (budget["max_agents"], budget["recommended_agents"]) == (agents, recommended)
    assert (budget["slots"], budget["jobs"]) == (slots, jobs)


def test_budget_of_the_host_in_the_guide_on_ec2() -> None:
    """MemTotal is about 98.4 % of the memory that is sold."""
    budget = memory_budget(1536 * GIB * 984 // 1000, cpus=192)
    assert (budget["max_agents"], budget["recommended_agents"]) == (320, 295)


def test_huge_pages_are_not_usable() -> None:
    assert memory_budget(64 * GIB, hugepages=16 * GIB)["usable"] == 48 * GIB


@pytest.mark.parametrize(
    ("limit", "limited_by", "usable"),
    [(None, "memtotal", 60), (8, "cgroup", 8), (60, "memtotal", 60), (64, "memtotal", 60)],
)
def test_lower_limit_is_used_and_named(limit: int | None, limited_by: str, usable: int) -> None:
    budget = memory_budget(64 * GIB, hugepages=4 * GIB, cgroup_limit=None if limit is None else limit * GIB)
    assert (budget["limited_by"], budget["usable"]) == (limited_by, usable * GIB)
    assert budget["explanation"][0].endswith("MemTotal" if limited_by == "memtotal" else "the container's limit")


def test_overrides_replace_computed_values() -> None:
    budget = memory_budget(64 * GIB, per_agent=2 * GIB, system_reserve=4 * GIB, headroom=10 * GIB, recommended_agents=7)
    assert (budget["system_reserve"], budget["headroom"], budget["available"]) == (4 * GIB, 10 * GIB, 50 * GIB)
    assert (budget["max_agents"], budget["recommended_agents"]) == (25, 7)
    assert [line for line in budget["explanation"] if line.endswith("as set")] == [
        "system_reserve = 4 GiB: as set",
        "headroom = 10 GiB: as set",
        "recommended_agents = 7: as set",
    ]


def test_slots_and_jobs_are_unknown_without_the_number_of_cpus() -> None:
    budget = memory_budget(64 * GIB)
    assert (budget["slots"], budget["jobs"]) == (None, None)


def refused(**arguments: int) -> str:
    with pytest.raises(BudgetError) as error:
        memory_budget(**arguments)
    return str(error.value)


def test_smallest_host_has_6_gib() -> None:
    assert smallest_host(BudgetPolicy()) == 6 * GIB
    assert memory_budget(6 * GIB)["max_agents"] == 1


@pytest.mark.parametrize(
    ("host", "calculation", "advice"),
    [
        ({"total": 2 * GIB}, "= 6 GiB;", "use a host with at least 6G"),
        (
            {"total": 24 * GIB, "per_agent": 4 * TIB},
            "= 4,100.1 GiB;",
            "lower per_agent (agent_policy_memory_per_agent) to at most 20352M, or use a host with at least 4825G",
        ),
        (
            {"total": 32 * GIB, "headroom": 64 * GIB},
            "= 69 GiB;",
            "lower headroom (agent_policy_headroom) to at most 27G, or use a host with at least 70G",
        ),
        (
            {"total": 64 * GIB, "cgroup_limit": 16 * GIB, "system_reserve": 20 * GIB},
            "(limited by the container's limit)",
            "lower system_reserve (agent_policy_system_reserve) to at most 10154M, or use a host with at least 28G",
        ),
        ({"total": 8 * GIB, "hugepages": 9 * GIB}, "into 0 MiB of usable memory", "use a host with at least 6G"),
    ],
)
def test_if_no_agent_fits_the_error_has_the_calculation_and_the_advice(
    host: dict[str, int], calculation: str, advice: str
) -> None:
    message = refused(**host)
    assert calculation in message and message.endswith(f" {advice}")


@pytest.mark.parametrize("recommended", [0, -1, 7, 1000])
def test_more_recommended_agents_than_fit_are_refused(recommended: int) -> None:
    message = refused(total=32 * GIB, recommended_agents=recommended)
    assert message.startswith(f"recommended_agents (agent_policy_recommended_agents) is {recommended}, ")
    assert "from 1 to 6" in message


@pytest.mark.parametrize("name", ["total", "per_agent", "cpus"])
def test_numbers_below_1_are_named(name: str) -> None:
    assert refused(**{"total": GIB, name: 0}).startswith(f"{name} is 0;")


@pytest.mark.parametrize("change", ["per_agent", "headroom", "system_reserve"])
def test_advice_in_an_error_works(change: str) -> None:
    """Each value that a message advises is accepted."""
    arguments = {"total": 32 * GIB, "per_agent": 4 * GIB, change: 64 * GIB}
    advised = refused(**arguments).split(" to at most ")[1].split("M,")[0].split("G,")[0]
    unit = GIB if f"{advised}G," in refused(**arguments) else MIB
    budget: Budget = memory_budget(**{**arguments, change: int(advised) * unit})
    assert budget["max_agents"] == 1 if change != "per_agent" else budget["max_agents"] >= 1
