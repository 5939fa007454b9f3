# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The policy file of agent-status."""

from __future__ import annotations

import json

from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_status
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.plugins.module_utils.status.facts import HostBudget, Policy
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import SUITABLE, wanted


def status_policy(**variables):
    entries = wanted(agent_status, SUITABLE, **variables).entries
    return json.loads(next(entry.content for entry in entries if entry.path.endswith("status.json")))


def test_policy_file_has_exactly_the_values_of_the_program():
    found = status_policy()
    assert set(found) == set(Policy.__annotations__)
    assert set(HostBudget.__annotations__) <= set(found["budget"])
    assert (found["budget"]["available"], found["budget"]["slots"]) == (1304 * GIB, 300)


def test_slots_and_jobs_come_from_the_policy_not_from_the_budget():
    budget = status_policy(agent_wrappers_slots=3, agent_wrappers_jobs=5)["budget"]
    assert (budget["slots"], budget["jobs"]) == (3, 5)
