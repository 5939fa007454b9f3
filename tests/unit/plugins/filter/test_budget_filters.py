# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The budget's filters: every form of input, and the words that a play shows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.filter.budget_table import budget_table
from ansible_collections.nova.agent_host.plugins.filter.fleet_table import fleet_table
from ansible_collections.nova.agent_host.plugins.filter.instance_shape import instance_shape
from ansible_collections.nova.agent_host.plugins.filter.memory_budget import memory_budget
from ansible_collections.nova.agent_host.plugins.filter.nova_memory_split import nova_memory_split
from ansible_collections.nova.agent_host.plugins.filter.recommended_agents import recommended_agents

GIB = 1 << 30
SIZE = "a whole number with K, M, G or T, as in 4G, 4GiB or 4096M"
FORMS = "a size such as '1536G', bytes as an integer, ansible_facts, or what nova.agent_host.agent_host_info returns"

HOST_INFO = {
    "memory": {"total": 64 * GIB, "hugepages": 4 * GIB, "swap": 0, "cgroup_limit": None, "cgroup_limit_file": None},
    "cpus": 16,
    "files": {},
}
FACTS = {"memtotal_mb": 65536, "processor_nproc": 8, "processor_vcpus": 16, "distribution": "Ubuntu"}


@pytest.mark.parametrize("memory", ["1536G", "1536GiB", 1536 * GIB])
def test_sizes(memory: object) -> None:
    budget = memory_budget(memory, cpus=192)
    assert [budget["max_agents"], budget["recommended_agents"], budget["slots"], budget["jobs"]] == [326, 300, 300, 32]
    assert recommended_agents(memory) == 300


def test_host_info_knows_huge_pages_and_cpus() -> None:
    budget = memory_budget(HOST_INFO)
    assert (budget["usable"], budget["limited_by"]) == (60 * GIB, "memtotal")
    assert budget["jobs"] is not None


def test_host_info_knows_the_container() -> None:
    inside = {**HOST_INFO, "memory": {**HOST_INFO["memory"], "cgroup_limit": 16 * GIB}}  # type: ignore[dict-item]
    assert memory_budget(inside)["limited_by"] == "cgroup"
    assert nova_memory_split(inside)["effective"] == 16 * GIB


def test_ansible_facts_and_their_affinity() -> None:
    assert memory_budget(FACTS) == memory_budget("64G", cpus=8)


def test_cpus_given_win_over_those_found() -> None:
    assert memory_budget(HOST_INFO, cpus=2)["jobs"] == 2


def test_options() -> None:
    budget = memory_budget("64G", per_agent="2G", system_reserve="4G", headroom="10G", recommended_agents="7")
    assert (budget["available"], budget["max_agents"], budget["recommended_agents"]) == (50 * GIB, 25, 7)


@pytest.mark.parametrize(
    ("memory", "options", "message"),
    [
        ("lots", {}, f"memory is 'lots', which is not a size; write {SIZE}"),
        ("4096", {}, f"memory is 4096, a number without a unit: 4096 bytes or 4096 MiB (4096M)? Write {SIZE}"),
        ("-4G", {}, f"memory is '-4G', which is not a size; write {SIZE}"),
        (None, {}, f"memory is None, which is not a size; write {SIZE}"),
        (True, {}, f"memory is True, which is not a size; write {SIZE}"),
        ([], {}, f"memory is [], which is not a size; write {SIZE}"),
        (0, {}, "memory is 0; it must be a whole number from 1 to 9223372036854775807"),
        (-5, {}, "memory is -5; it must be a whole number from 1 to 9223372036854775807"),
        (1 << 63, {}, "memory is 9223372036854775808; it must be a whole number from 1 to 9223372036854775807"),
        ({}, {}, f"memory is a dictionary with no keys; give {FORMS}"),
        ({"stdout": "x", "rc": 0}, {}, f"memory is a dictionary with rc, stdout; give {FORMS}"),
        ({"memtotal_mb": 0}, {}, "ansible_facts.memtotal_mb is 0; it must be a whole number from 1 to 9223372036854775807"),
        ({"memory": {"total": "x"}}, {}, "memory.total is 'x'; it must be a whole number from 1 to 9223372036854775807"),
        ("64G", {"per_agent": "4096"}, f"per_agent (agent_policy_memory_per_agent) is 4096, a number without a unit: 4096 bytes or 4096 MiB (4096M)? Write {SIZE}"),
        ("64G", {"per_agent": 4096}, f"per_agent (agent_policy_memory_per_agent) is 4096, a number without a unit: 4096 bytes or 4096 MiB (4096M)? Write {SIZE}"),
        ("64G", {"headroom": "a lot"}, f"headroom (agent_policy_headroom) is 'a lot', which is not a size; write {SIZE}"),
        ("64G", {"headroom": "0"}, f"headroom (agent_policy_headroom) is 0, but this is no limit that can be lifted; write {SIZE}"),
        ("64G", {"system_reserve": "1.5G"}, f"system_reserve (agent_policy_system_reserve) is '1.5G', which is not a size; write {SIZE}"),
        ("64G", {"cpus": "many"}, "cpus is 'many'; it must be a whole number from 1 to 9223372036854775807"),
        ("64G", {"recommended_agents": 1.5}, "recommended_agents (agent_policy_recommended_agents) is 1.5; it must be a whole number from 1 to 9223372036854775807"),
        ("2G", {}, "no agent fits into 2 GiB of usable memory (limited by memtotal): system_reserve 1 GiB + headroom 1 GiB + per_agent 4 GiB = 6 GiB; use a host with at least 6G"),
    ],
)  # fmt: skip
def test_errors_of_both_filters(memory: object, options: dict[str, Any], message: str) -> None:
    for compute in (memory_budget, recommended_agents):
        with pytest.raises(AnsibleFilterError) as error:
            compute(memory, **options)
        assert str(error.value) == message


def test_nova_memory() -> None:
    assert nova_memory_split("1536G", address_space="4G")["total"] == GIB
    assert nova_memory_split("1536G", total="2G")["query_cache"] == 2 * GIB * 40 // 100
    with pytest.raises(AnsibleFilterError) as error:
        nova_memory_split("1536G", total="1")
    assert str(error.value) == (
        f"total (agent_wrappers_nova_memory_total) is 1, a number without a unit: 1 bytes or 1 MiB (1M)? Write {SIZE}"
    )


def test_table() -> None:
    table = budget_table(memory_budget(1536 * GIB * 984 // 1000, cpus=192))
    assert table.splitlines() == [
        "Total (MemTotal)    1,511.4 GiB",
        "Usable              1,511.4 GiB  limited by MemTotal",
        "-------------------------------",
        "System reserve         31.5 GiB",
        "Headroom              196.8 GiB",
        "Available           1,283.1 GiB",
        "-------------------------------",
        "Per agent               4.0 GiB",
        "Maximum                 320 agents",
        "Recommended             295 agents",
        "Slots                   295 cargo commands at once",
        "Jobs                     32 of one cargo command",
    ]


def test_table_without_cpus_and_in_a_container() -> None:
    inside = {**HOST_INFO, "memory": {**HOST_INFO["memory"], "cgroup_limit": 16 * GIB}}  # type: ignore[dict-item]
    assert "Usable                 16.0 GiB  limited by the container's limit" in budget_table(memory_budget(inside))
    assert "Slots                     - needs the number of CPUs" in budget_table(memory_budget("64G"))


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("64G", "budget_table needs what memory_budget gives; missing: a dictionary"),
        ({**memory_budget("64G", cpus=2), "jobs": 1}, None),
        ({key: value for key, value in memory_budget("64G").items() if key != "jobs"}, "budget_table needs what memory_budget gives; missing: jobs"),
    ],
)  # fmt: skip
def test_table_of_something_else(budget: Any, message: str | None) -> None:
    if message is None:
        assert budget_table(budget)
        return
    with pytest.raises(AnsibleFilterError) as error:
        budget_table(budget)
    assert str(error.value) == message


def test_instance_shapes() -> None:
    shape = instance_shape("r7i.48xlarge")
    assert shape is not None
    assert (shape["cpus"], shape["nominal"], shape["memory"]) == (192, 1536 * GIB, 1536 * GIB * 984 // 1000)
    assert shape["description"] == (
        "r7i.48xlarge: 192 CPUs, 1,536 GiB nominal; MemTotal is assumed to be 98.4% of it, 1,511.4 GiB"
        " (source: EC2's DescribeInstanceTypes as recorded in moto 5.2.5, read 2026-11-23)"
    )


def test_instance_shape_from_ec2s_answer() -> None:
    answer = {"instance_type": "x.y", "v_cpu_info": {"default_v_cpus": 4}, "memory_info": {"size_in_mi_b": 32768}}
    shape = instance_shape(answer)
    assert shape is not None
    assert (shape["name"], shape["cpus"], shape["nominal"]) == ("x.y", 4, 32 * GIB)
    assert shape["description"].endswith("(source: EC2's answer)")


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ("x9.huge", "instance_type is 'x9.huge'; known are c7i.24xlarge, c7i.48xlarge, m7i.24xlarge, m7i.48xlarge, r7i.24xlarge, r7i.48xlarge, i4i.32xlarge, i7ie.48xlarge, others where the collection amazon.aws is installed to ask EC2"),
        ({"instance_type": "x.y"}, "the instance type's description lacks 'v_cpu_info'"),
    ],
)  # fmt: skip
def test_unknown_instance_shapes(instance: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        instance_shape(instance)
    assert str(error.value) == message


def test_fleets() -> None:
    rows = [line.split() for line in fleet_table("1000", per_agent="200G").splitlines()]
    assert rows[0] == ["Instance", "type", "CPUs", "Nominal", "MemTotal", "Agents", "a", "host", "Hosts"]
    assert ["c7i.24xlarge", "96", "192", "GiB", "188.9", "GiB", "-", "-"] in rows
    assert ["r7i.48xlarge", "192", "1,536", "GiB", "1,511.4", "GiB", "5", "200"] in rows
    with pytest.raises(AnsibleFilterError) as error:
        fleet_table("-3")
    assert str(error.value) == "agents is '-3'; it must be a whole number from 1 to 9223372036854775807"
