# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Timers exist only if they have work, and the programs read the values of the variables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_hygiene
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import PolicyProblems
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import AuditLog, Workspaces, load_policy
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.space import Mark
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import AuditLogFinding
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import SUITABLE, wanted

LOG = {"path": "/home/agent1/nova-audit.log", "owner": "agent1"}
BOTH = {
    "agent_hygiene_workspaces": ["/home/*/nova", {"path": "~/nova", "users": ["agent1"]}],
    "agent_hygiene_audit_logs": [LOG],
}


def units(**variables):
    return [unit.name for unit in wanted(agent_hygiene, SUITABLE, **variables).units if unit.active]


def test_each_timer_exists_only_if_it_has_work():
    assert units() == []
    sweep = ["nova-agent-sweep.timer", "nova-agent-free-space.timer"]
    assert units(agent_hygiene_workspaces=["/home/*/nova"]) == sweep
    without = {"agent_hygiene_free_min": "0", "agent_hygiene_free_goal": 0}
    assert units(agent_hygiene_workspaces=["/home/*/nova"], **without) == sweep[:1]
    assert units(agent_hygiene_audit_logs=[LOG]) == ["nova-agent-audit-log.timer"]
    assert units(**BOTH) == [*sweep, "nova-agent-audit-log.timer"]


def test_conflicting_marks_of_free_space_are_named():
    for least, goal in (("20%", "10%"), ("0", "10%"), ("1T", "0")):
        with pytest.raises(PolicyProblems, match=r"(?=.*_free_min is).*_free_goal is"):
            wanted(agent_hygiene, SUITABLE, agent_hygiene_free_min=least, agent_hygiene_free_goal=goal)


def test_timer_is_enabled_by_a_link_and_belongs_to_the_collection():
    role = wanted(agent_hygiene, SUITABLE, **BOTH)
    links = {entry.path: entry.target for entry in role.entries if entry.kind == "link"}
    assert links == {
        f"/etc/systemd/system/timers.target.wants/{unit.name}": f"/etc/systemd/system/{unit.name}"
        for unit in role.units
        if unit.active
    }
    assert all(unit.own for unit in role.units)


def test_programs_read_the_values_of_the_variables(tmp_path):
    (entry,) = [one for one in wanted(agent_hygiene, SUITABLE, **BOTH).entries if one.path.endswith("hygiene.json")]
    assert entry.mode == "0600"
    file = tmp_path / "hygiene.json"
    file.write_text(entry.content)
    found = load_policy(str(file))
    assert found.workspaces == (Workspaces("/home/*/nova"), Workspaces("~/nova", ("agent1",)))
    assert found.audit_logs == (AuditLog(**LOG),)
    assert (found.target_max % GIB, found.group) == (0, "nova-agents")
    assert (found.free_min, found.free_goal) == (Mark(percent=10), Mark(percent=20))


def test_findings_of_audit_logs_are_conditions():
    finding = AuditLogFinding(f"{LOG['path']}.1", "wide", "mode 0644, not 0600")

    def conditions(*findings):
        role = wanted(agent_hygiene, replace(SUITABLE, audit_logs=list(findings)), agent_hygiene_audit_logs=[LOG])
        return [(one.name, one.found, one.differs) for one in role.conditions]

    assert conditions() == [(LOG["path"], True, "kind")]
    assert (f"{LOG['path']}.1", False, "wide") in conditions(finding)
