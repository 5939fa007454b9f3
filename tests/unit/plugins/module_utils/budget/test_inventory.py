# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What the hosts of an inventory hold: nothing is left out in silence, and questions without an answer say what to ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.budget.instances import ShapeError
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inventory import InventoryError, inventory_plan

DOCS = Path(__file__).parents[5] / "docs"
M5 = {"instance_type": "m5.4xlarge", "v_cpu_info": {"default_v_cpus": 16}, "memory_info": {"size_in_mi_b": 65536}}
R7I = {"instance_type": "r7i.48xlarge"}


def plan(hosts, answers=(), **more):
    return inventory_plan({"agent_hosts": list(hosts)}, hosts, "agent_hosts", answers, **more)


def test_the_documented_table_is_what_is_printed():
    hosts = {
        "i-0123456789abcdef0": {"instance_type": "m5.4xlarge"},
        "i-0123456789abcdef1": {**R7I, "agent_policy_memory_per_agent": "8G"},
    }
    planned = plan(hosts, [M5])
    assert planned["problems"] == planned["to_ask"] == []
    (block,) = [text for text in (DOCS / "ec2.md").read_text().split("```\n") if text.startswith("Host ")]
    assert block == planned["table"] + "\n"


@pytest.mark.parametrize(
    ("policy", "per_agent", "problem"),
    [
        (
            {"agent_policy_recommended_agents": 500},
            "4 GiB",
            "recommended_agents (agent_policy_recommended_agents) is 500, but 1,283.1 GiB hold 320 agents of 4 GiB; set it from 1 to 320, or lower per_agent (agent_policy_memory_per_agent)",
        ),
        (
            {"agent_policy_headroom": "1500G", "agent_policy_memory_per_agent": "8G"},
            "8 GiB",
            "no agent fits into 1,511.4 GiB of usable memory (limited by memtotal): system_reserve 31.5 GiB + headroom 1,500 GiB + per_agent 8 GiB = 1,539.5 GiB; lower headroom (agent_policy_headroom) to at most 1507262M, or use a host with at least 1541G",
        ),
        (
            {"agent_policy_memory_per_agent": 4},
            "-",
            "per_agent (agent_policy_memory_per_agent) is 4, a number without a unit: 4 bytes or 4 MiB (4M)? Write a whole number with K, M, G or T, as in 4G, 4GiB or 4096M",
        ),
    ],
)
def test_a_policy_that_does_not_fit_is_told_with_the_host_and_the_others_count(policy, per_agent, problem):
    planned = plan({"a": {**R7I, **policy}, "b": R7I})
    assert planned["problems"] == [f"a: {problem}"]
    rows = [line.split("GiB", 1)[-1].strip() for line in planned["table"].splitlines()[1:]]
    assert [" ".join(row.split()) for row in rows] == [f"{per_agent} -", "4 GiB 295", "295"]


def test_a_type_that_nobody_told_of_is_asked_for_or_told():
    planned = plan({"a": {"instance_type": "x9.huge"}, "b": R7I}, can_ask=True)
    assert planned["to_ask"] == ["x9.huge"]
    planned = plan({"a": {"instance_type": "x9.huge"}, "b": R7I})
    assert planned["to_ask"] == []
    assert planned["problems"] == [
        "a: instance_type is 'x9.huge'; known are c7i.24xlarge, c7i.48xlarge, m7i.24xlarge, m7i.48xlarge, r7i.24xlarge, r7i.48xlarge, i4i.32xlarge, i7ie.48xlarge, others where the collection amazon.aws is installed to ask EC2"
    ]
    assert plan({"a": {"instance_type": "m5.4xlarge"}}, [M5], can_ask=True)["to_ask"] == []


def test_long_and_hostile_names_keep_the_columns():
    table = plan({"h\u202e\n" + "x" * 40: {"instance_type": "u" * 30}, "b": R7I})["table"]
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1 and "\u202e" not in table
    assert lines[2].startswith(r"h\u202e\n" + "x" * 40 + "  " + "u" * 30)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("nosuch", "group is 'nosuch', no group of the inventory; the inventory has: agent_hosts, web. Name one, and the inventory by -i"),
        ("empty", "group is 'empty', which has no hosts; the inventory has: agent_hosts, web. Name one, and the inventory by -i"),
        ("agent_hosts", "host b has no instance_type: set it in the inventory, such as instance_type: r7i.48xlarge (the plugin amazon.aws.aws_ec2 does), or ask with -e memory= for hosts that are not in EC2"),
        ("web", "hosts b, c have no instance_type: set it in the inventory, such as instance_type: r7i.48xlarge (the plugin amazon.aws.aws_ec2 does), or ask with -e memory= for hosts that are not in EC2"),
    ],
)  # fmt: skip
def test_questions_without_an_answer(group, message):
    groups = {"all": ["a", "b", "c"], "ungrouped": [], "agent_hosts": ["b", "a"], "empty": [], "web": ["c", "b"]}
    with pytest.raises(InventoryError) as error:
        inventory_plan(groups, {"a": R7I, "b": {}, "c": {"instance_type": None}}, group)
    assert str(error.value) == message


def test_an_inventory_without_groups_says_so():
    with pytest.raises(InventoryError) as error:
        inventory_plan({"all": [], "ungrouped": []}, {}, "agent_hosts")
    assert str(error.value) == (
        "group is 'agent_hosts', no group of the inventory; the inventory has no group with hosts. Name one, and the inventory by -i"
    )


def test_an_answer_that_lacks_something_is_an_error():
    with pytest.raises(ShapeError, match="^the instance type's description lacks 'v_cpu_info'$"):
        plan({"a": R7I}, [{"instance_type": "x.y"}])
