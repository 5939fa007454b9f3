# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Planning for EC2: no host is left out silently, and each error names what to change."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.budget.ec2 import (
    SHAPES,
    PlanError,
    answered_shapes,
    find_shape,
    fleet_table,
    inventory_hosts,
    inventory_table,
)
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import BudgetPolicy

DOCS = Path(__file__).parents[5] / "docs"
GIB = 1 << 30
M5 = {"instance_type": "m5.4xlarge", "v_cpu_info": {"default_v_cpus": 16}, "memory_info": {"size_in_mi_b": 65536}}
R7I = {"instance_type": "r7i.48xlarge"}


def plan(hosts, answers=()):
    shapes = {**SHAPES, **answered_shapes(answers)}
    return inventory_table(inventory_hosts({"agent_hosts": list(hosts)}, hosts, "agent_hosts"), shapes)


def test_documented_table_is_printed():
    hosts = {
        "i-0123456789abcdef0": {"instance_type": "m5.4xlarge"},
        "i-0123456789abcdef1": {**R7I, "agent_policy_memory_per_agent": "8G", "agent_ceiling_enabled": True},
    }
    table, problems = plan(hosts, [M5])
    assert problems == []
    (block,) = [text for text in (DOCS / "how-to/ec2-fleet.md").read_text().split("```\n") if text.startswith("Host ")]
    assert block == table + "\n"


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ({"agent_policy_recommended_agents": 500}, "from 1 to 320"),
        ({"agent_policy_headroom": "1500G"}, "lower headroom (agent_policy_headroom) to at most"),
        ({"agent_policy_memory_per_agent": 4}, "a number without a unit"),
        ({"agent_policy_memory_per_agent": ""}, "agent_policy_memory_per_agent"),
        ({"instance_type": "x9.huge"}, "instance_type is 'x9.huge'"),
    ],
)
def test_host_without_a_plan_is_named_and_the_others_are_counted(policy, named):
    table, problems = plan({"a": {**R7I, **policy}, "b": R7I})
    assert [problem.startswith("a: ") and named in problem for problem in problems] == [True]
    rows = [line.split() for line in table.splitlines()[1:]]
    assert rows[0][0] == "a" and rows[0][-1] == "-"
    assert rows[1][-1] == "295" and rows[2] == ["2", "hosts", *rows[2][2:4], "295"]


def test_empty_override_selects_the_rule():
    assert plan({"a": {**R7I, "agent_policy_headroom": "", "agent_policy_recommended_agents": None}}) == plan(
        {"a": R7I}
    )


@pytest.mark.parametrize(
    ("group", "named"),
    [
        ("nosuch", "groups with hosts are agent_hosts, web"),
        ("empty", "which has no hosts"),
        ("agent_hosts", "instance_type is not set for b:"),
        ("web", "instance_type is not set for b, c:"),
    ],
)
def test_groups_without_a_plan_are_refused(group, named):
    groups = {"all": ["a", "b", "c"], "ungrouped": [], "agent_hosts": ["b", "a"], "empty": [], "web": ["c", "b"]}
    with pytest.raises(PlanError) as error:
        inventory_hosts(groups, {"a": R7I, "b": {}, "c": {"instance_type": None}}, group)
    assert named in str(error.value)


def test_inventory_without_groups_is_refused():
    with pytest.raises(PlanError, match="-i"):
        inventory_hosts({"all": [], "ungrouped": []}, {}, "agent_hosts")


def test_known_type_has_its_memory_and_cpus():
    shape = find_shape("r7i.48xlarge", SHAPES)
    assert (shape.nominal, shape.size.total, shape.size.cpus) == (1536 * GIB, 1536 * GIB * 984 // 1000, 192)


def test_type_described_by_ec2_has_its_memory_and_cpus():
    (shape,) = answered_shapes([M5]).values()
    assert (shape.name, shape.cpus, shape.nominal, shape.source) == ("m5.4xlarge", 16, 64 * GIB, "EC2")


def test_incomplete_answer_is_an_error():
    with pytest.raises(PlanError, match="v_cpu_info"):
        answered_shapes([{"instance_type": "x.y"}])


def test_number_of_hosts_for_a_fleet_is_computed():
    rows = [line.split() for line in fleet_table(1000, BudgetPolicy.parse(per_agent="200G")).splitlines()]
    assert ["c7i.24xlarge", "96", "192", "GiB", "188.9", "GiB", "-", "-"] in rows
    assert ["r7i.48xlarge", "192", "1,536", "GiB", "1,511.4", "GiB", "5", "200"] in rows
