# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.audit.units import owned_units, unit_items

ETC = "/etc/systemd/system"
RUNS = {"load": "loaded", "enabled": "enabled", "active": "active", "result": "success", "stale": False}


def test_units_are_found_by_their_files_and_drop_ins():
    units = owned_units(
        "agent_hygiene",
        [
            {"path": f"{ETC}/sweep.service", "content": "[Service]\n"},
            {"path": f"{ETC}/sweep.timer", "content": "[Timer]\n[Install]\nWantedBy=timers.target\n"},
            {"path": f"{ETC}/timers.target.wants/sweep.timer", "state": "link", "target": f"{ETC}/sweep.timer"},
            {"path": f"{ETC}/user.slice.d/90-nova-agent.conf", "content": "[Slice]\n"},
            {"path": f"{ETC}/user@.service.d/90-nova-agent.conf", "content": ""},
            {"path": f"{ETC}/session-.scope.d/90-nova-agent.conf", "content": ""},
            {"path": f"{ETC}/old.timer", "state": "absent"},
            {"path": f"{ETC}/folder.d", "state": "directory", "mode": "0755"},
            {"path": "/etc/systemd/user/of-a-user.service", "content": "[Service]\n"},
            {"path": "/opt/nova-agent/x.timer", "content": "[Timer]\n"},
        ],
    )
    role = {"role": "agent_hygiene"}
    assert units == {
        "sweep.service": {**role, "own": True, "enabled": False},
        "sweep.timer": {**role, "own": True, "enabled": True},
        "user.slice": {**role, "own": False, "enabled": False},
    }


@pytest.mark.parametrize(
    ("name", "unit", "seen", "differs", "why"),
    [
        ("x.timer", {}, {"active": "inactive"}, ["active"], "is inactive, not active"),
        ("x.timer", {}, {"active": "failed", "result": "resources"}, ["active"], "failed (resources)"),
        ("x.service", {}, {"active": "failed", "result": "exit-code"}, ["active"], "failed (exit-code)"),
        ("x.timer", {}, {"enabled": "disabled"}, ["enabled"], "is disabled, not enabled"),
        ("x.timer", {}, {"enabled": ""}, ["enabled"], "is not enabled"),
        ("x.timer", {}, {"load": "masked"}, ["load"], "systemd has it as masked"),
        ("x.timer", {}, {"stale": True}, ["load"], "systemd has not read its files since they changed: systemctl daemon-reload"),
        ("user.slice", {"own": False}, {"stale": True}, ["load"], "systemd has not read its files since they changed: systemctl daemon-reload"),
    ],
)  # fmt: skip
def test_a_unit_that_is_not_as_its_files_want_it_is_drift(name, unit, seen, differs, why):
    unit = {"role": "r", "own": True, "enabled": True, **unit}
    (item,) = unit_items({name: unit}, {name: {**RUNS, **seen}})
    assert (item["status"], item["differs"], item["why"]) == ("drifted", differs, why)


@pytest.mark.parametrize(
    ("name", "unit", "seen"),
    [
        ("x.timer", {"own": True, "enabled": True}, {}),
        ("x.service", {"own": True, "enabled": False}, {"active": "inactive", "enabled": "static"}),
        # Somebody else's unit, which may not be here or may have failed for reasons of its own.
        ("agent-runner.service", {"own": False, "enabled": False}, {"load": "not-found", "active": "inactive"}),
        ("agent-runner.service", {"own": False, "enabled": False}, {"active": "failed"}),
    ],
)
def test_others_are_ok(name, unit, seen):
    (item,) = unit_items({name: {"role": "r", **unit}}, {name: {**RUNS, **seen}})
    assert item == {"role": "r", "item": name, "kind": "unit", "status": "ok"}


def test_where_systemd_does_not_answer_a_unit_is_unknown():
    (item,) = unit_items({"x.timer": {"role": "r", "own": True, "enabled": True}}, {})
    assert (item["status"], item["why"]) == ("unknown", "systemd does not tell")
