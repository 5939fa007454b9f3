# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Budgets and columns as text."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.budget.table import budget_table, columns
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget

GIB = 1 << 30


def test_budget_is_a_table() -> None:
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
        "Jobs                     32 jobs of one cargo command",
    ]


def test_table_of_a_container_without_a_number_of_cpus() -> None:
    table = budget_table(memory_budget(64 * GIB, cgroup_limit=16 * GIB))
    assert "Usable                 16.0 GiB  limited by the container's limit" in table
    assert "Slots                     - (the number of CPUs is not known)" in table


def test_number_1_is_singular() -> None:
    table = budget_table(memory_budget(6 * GIB, cpus=8))
    assert [line.split()[1:3] for line in table.splitlines()[-4:]] == [["1", "agent"]] * 2 + [
        ["1", "cargo"],
        ["1", "job"],
    ]
    assert "cargo command at once" in table


def test_columns_are_aligned() -> None:
    table = columns([("Name", "Size"), ("a\u202e\n", 1), ("b", None)], left=1)
    assert table.splitlines() == ["Name       Size", r"a\u202e\n     1", "b             -"]
