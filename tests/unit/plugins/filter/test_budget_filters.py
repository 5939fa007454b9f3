# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The filters of the budget: every form of input, and the errors."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.filter.memory_budget import memory_budget
from ansible_collections.nova.agent_host.plugins.filter.nova_memory_split import nova_memory_split
from ansible_collections.nova.agent_host.plugins.filter.recommended_agents import recommended_agents

GIB = 1 << 30

HOST_INFO = {
    "memory": {"total": 64 * GIB, "hugepages": 4 * GIB, "swap": 0, "cgroup_limit": None, "cgroup_limit_file": None},
    "cpus": 16,
    "files": {},
}
FACTS = {"memtotal_mb": 65536, "processor_nproc": 8, "processor_vcpus": 16, "distribution": "Ubuntu"}


@pytest.mark.parametrize("memory", ["1536G", "1536GiB", 1536 * GIB])
def test_memory_may_be_text_or_bytes(memory: object) -> None:
    budget = memory_budget(memory, cpus=192)
    assert [budget["max_agents"], budget["recommended_agents"], budget["slots"], budget["jobs"]] == [326, 300, 300, 32]
    assert recommended_agents(memory) == 300


def test_host_info_counts_huge_pages_and_cpus() -> None:
    budget = memory_budget(HOST_INFO)
    assert (budget["usable"], budget["limited_by"]) == (60 * GIB, "memtotal")
    assert budget["jobs"] is not None


def test_host_info_counts_the_limit_of_the_container() -> None:
    inside = {**HOST_INFO, "memory": {**HOST_INFO["memory"], "cgroup_limit": 16 * GIB}}  # type: ignore[dict-item]
    assert memory_budget(inside)["limited_by"] == "cgroup"
    assert nova_memory_split(inside)["effective"] == 16 * GIB


def test_ansible_facts_are_accepted() -> None:
    assert memory_budget(FACTS) == memory_budget("64G", cpus=8)


def test_cpus_option_overrides_the_facts() -> None:
    assert memory_budget(HOST_INFO, cpus=2)["jobs"] == 2


def test_options_override_the_rules() -> None:
    budget = memory_budget("64G", per_agent="2G", system_reserve="4G", headroom="10G", recommended_agents="7")
    assert (budget["available"], budget["max_agents"], budget["recommended_agents"]) == (50 * GIB, 25, 7)


@pytest.mark.parametrize(
    ("memory", "options", "message"),
    [
        ("lots", {}, "memory is 'lots',"),
        (None, {}, "memory is None,"),
        (True, {}, "memory is True,"),
        ([], {}, "memory is [],"),
        (0, {}, "memory is 0;"),
        (1 << 63, {}, "memory is 9223372036854775808;"),
        ({}, {}, "memory is a dictionary with no keys; give "),
        ({"stdout": "x", "rc": 0}, {}, "memory is a dictionary with rc, stdout; give "),
        ({"memtotal_mb": 0}, {}, "ansible_facts.memtotal_mb is 0;"),
        ({"memory": {"total": "x"}}, {}, "memory.total is 'x';"),
        ("64G", {"per_agent": 4096}, "per_agent (agent_policy_memory_per_agent) is 4096,"),
        ("64G", {"headroom": "a lot"}, "headroom (agent_policy_headroom) is 'a lot',"),
        ("64G", {"system_reserve": "1.5G"}, "system_reserve (agent_policy_system_reserve) is '1.5G',"),
        ("64G", {"cpus": "many"}, "cpus is 'many';"),
        ("64G", {"recommended_agents": 1.5}, "recommended_agents (agent_policy_recommended_agents) is 1.5;"),
        ("2G", {}, "no agent fits into 2 GiB"),
    ],
)  # fmt: skip
def test_errors_name_the_option_and_its_value(memory: object, options: dict[str, Any], message: str) -> None:
    for compute in (memory_budget, recommended_agents):
        with pytest.raises(AnsibleFilterError) as error:
            compute(memory, **options)
        assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_empty_option_selects_the_rule_except_for_the_memory_of_an_agent() -> None:
    """Jinja's none is "" in ansible-core before 2.19."""
    for empty in ("", None):
        options = dict.fromkeys(("system_reserve", "headroom", "recommended_agents", "cpus"), empty)
        assert memory_budget("64G", **options) == memory_budget("64G")
        assert nova_memory_split("64G", address_space=empty, total=empty) == nova_memory_split("64G")
        with pytest.raises(AnsibleFilterError, match="agent_policy_memory_per_agent"):
            memory_budget("64G", per_agent=empty)


class Vaulted:
    """A vaulted value of ansible-core before 2.19, which is not a str."""

    __ENCRYPTED__ = True

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def test_vaulted_values_are_accepted() -> None:
    assert memory_budget(Vaulted("64G"), per_agent=Vaulted("2G"), cpus=Vaulted("8")) == memory_budget(
        "64G", per_agent="2G", cpus=8
    )


def test_nova_memory_split_uses_its_options() -> None:
    assert nova_memory_split("1536G", address_space="4G")["total"] == GIB
    assert nova_memory_split("1536G", total="2G")["query_cache"] == 2 * GIB * 40 // 100
    with pytest.raises(AnsibleFilterError, match=r"^total \(agent_wrappers_nova_memory_total\) is 1, "):
        nova_memory_split("1536G", total="1")
