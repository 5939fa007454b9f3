# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""How many builds run side by side, and the entries for checkouts."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import memory_budget
from ansible_collections.nova.agent_host.plugins.module_utils.policy.wrappers import checkout_entries, parallelism
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB

BIG = memory_budget(1536 * GIB, cpus=192)


@pytest.mark.parametrize(
    ("slots", "jobs", "expected"),
    [
        ("auto", "auto", {"slots": 300, "jobs": 32}),
        (1, 1, {"slots": 1, "jobs": 1}),
        ("3", "5", {"slots": 3, "jobs": 5}),  # as -e and inventories in INI give them
        ("auto", "cargo", {"slots": 300, "jobs": 192}),
        (2, "auto", {"slots": 2, "jobs": 32}),
    ],
)
def test_the_variables_hold_unless_they_leave_it_to_the_budget(slots, jobs, expected):
    assert parallelism(BIG, 192, slots, jobs) == expected


def test_each_checkout_gets_both_wrappers():
    assert checkout_entries(["/srv/a b"], "/opt/nova-agent/bin") == [
        {"path": "/srv/a b/scripts/cargo_agent.sh", "state": "link", "target": "/opt/nova-agent/bin/cargo_agent.sh"},
        {"path": "/srv/a b/scripts/run_limited.sh", "state": "link", "target": "/opt/nova-agent/bin/run_limited.sh"},
    ]
