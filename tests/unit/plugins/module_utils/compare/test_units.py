# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.audit.units import merged_units, owned_units, unit_items

ETC = "/etc/systemd/system"
RUNS = {
    "load": "loaded",
    "enabled": "enabled",
    "active": "active",
    "result": "success",
    "stale": False,
    "drop_ins": [],
    "limits": {},
}
LIMITS = {"as": [64 << 30, 64 << 30], "nofile": [1024, 4096]}
OURS = f"{ETC}/x.timer.d/90-nova-agent.conf"
OTHER = f"{ETC}/x.timer.d/override.conf"
MANY = {"drop_ins": [f"{ETC}/agent-runner.service.d/90-nova-agent.conf", f"{ETC}/agent-runner.service.d/99-other.conf"]}


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
    role = {"role": "agent_hygiene", "limited": False}
    assert units == {
        "sweep.service": {**role, "own": True, "enabled": False},
        "sweep.timer": {**role, "own": True, "enabled": True},
        "user.slice": {**role, "own": False, "enabled": False},
    }


def test_a_unit_that_two_roles_change_is_looked_at_for_both():
    drop_in = {"path": f"{ETC}/agent-runner.service.d/90-nova-agent.conf", "content": ""}
    limits, ceiling = (owned_units(role, [drop_in]) for role in ("agent_limits", "agent_ceiling"))
    both = {"agent-runner.service": {"role": "agent_ceiling", "own": False, "enabled": False, "limited": True}}
    assert merged_units(ceiling, limits) == both
    assert merged_units(limits, ceiling) == {
        "agent-runner.service": {**both["agent-runner.service"], "role": "agent_limits"}
    }
    assert merged_units({}, limits) == limits


@pytest.mark.parametrize(
    ("name", "unit", "seen", "differs", "why"),
    [
        ("x.timer", {}, {"active": "inactive"}, ["active"], "is inactive, not active"),
        ("x.timer", {}, {"active": "failed", "result": "resources"}, ["active"], "failed (resources): see journalctl -u x.timer, then systemctl reset-failed x.timer"),
        ("x.service", {}, {"active": "failed", "result": "exit-code"}, ["active"], "failed (exit-code): see journalctl -u x.service, then systemctl reset-failed x.service"),
        ("x.timer", {}, {"enabled": "disabled"}, ["enabled"], "is disabled, not enabled"),
        ("x.timer", {}, {"enabled": ""}, ["enabled"], "is not enabled"),
        ("x.timer", {}, {"load": "masked"}, ["load"], "systemd has it as masked"),
        ("x.timer", {}, {"stale": True}, ["load"], "systemd has not read its files since they changed: systemctl daemon-reload"),
        ("user.slice", {"own": False}, {"stale": True}, ["load"], "systemd has not read its files since they changed: systemctl daemon-reload"),
        ("x.timer", {}, {"drop_ins": [OTHER]}, ["drop-in"], f"is changed by {OTHER}: remove that, and set the role's variables instead"),
        ("x.timer", {}, {"drop_ins": [f"{ETC}/x-.timer.d/a.conf"]}, ["drop-in"], f"is changed by {ETC}/x-.timer.d/a.conf: remove that, and set the role's variables instead"),
        (
            "agent-runner.service",
            {"own": False, "limited": True, "enabled": False},
            {**MANY, "limits": {**LIMITS, "as": [None, None]}},
            ["limits"],
            f"is started with as unlimited, not 68719476736: take that out of {ETC}/agent-runner.service.d/99-other.conf",
        ),
        (
            "agent-runner.service",
            {"own": False, "limited": True, "enabled": False},
            {"limits": {"as": [64 << 30, 64 << 30], "nofile": [1024, 524288]}},
            ["limits"],
            "is started with nofile 1024:524288, not 1024:4096",
        ),
    ],
)  # fmt: skip
def test_a_unit_that_is_not_as_its_files_want_it_is_drift(name, unit, seen, differs, why):
    unit = {"role": "r", "own": True, "enabled": True, "limited": False, **unit}
    (item,) = unit_items({name: unit}, {name: {**RUNS, **seen}}, {MANY["drop_ins"][0]}, LIMITS)
    assert (item["status"], item["differs"], item["why"]) == ("drifted", differs, why)


@pytest.mark.parametrize(
    ("name", "unit", "seen"),
    [
        ("x.timer", {"own": True, "enabled": True}, {}),
        ("x.service", {"own": True, "enabled": False}, {"active": "inactive", "enabled": "static"}),
        # Somebody else's unit, which may not be here or may have failed for reasons of its own.
        ("agent-runner.service", {"own": False, "enabled": False}, {"load": "not-found", "active": "inactive"}),
        ("agent-runner.service", {"own": False, "enabled": False}, {"active": "failed"}),
        # Ours, one for all timers, and one for somebody else's unit.
        ("x.timer", {"own": True, "enabled": True}, {"drop_ins": [OURS, f"{ETC}/timer.d/a.conf"]}),
        ("agent-runner.service", {"own": False, "enabled": False, "limited": True}, {**MANY, "limits": LIMITS}),
        ("agent-runner.service", {"own": False, "enabled": False, "limited": True}, {"load": "not-found"}),
    ],
)
def test_others_are_ok(name, unit, seen):
    (item,) = unit_items({name: {"role": "r", "limited": False, **unit}}, {name: {**RUNS, **seen}}, {OURS}, LIMITS)
    assert item == {"role": "r", "item": name, "kind": "unit", "status": "ok"}


def test_where_systemd_does_not_answer_a_unit_is_unknown():
    (item,) = unit_items({"x.timer": {"role": "r", "own": True, "enabled": True, "limited": False}}, {}, (), LIMITS)
    assert (item["status"], item["why"]) == ("unknown", "systemd does not tell")
