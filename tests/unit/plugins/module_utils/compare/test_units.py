# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Systemd units, compared with the desired state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.compare.units import compare_unit, limits_that_differ
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Unit
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import UnitState

ETC = "/etc/systemd/system"
RUNS = UnitState("loaded", "enabled", "active", "success", False)
LIMITS = {"as": [64 << 30, 64 << 30], "nofile": [1024, 4096]}
OURS = f"{ETC}/x.timer.d/90-nova-agent.conf"
OTHER = f"{ETC}/x.timer.d/override.conf"
MANY = [f"{ETC}/agent-runner.service.d/90-nova-agent.conf", f"{ETC}/agent-runner.service.d/99-other.conf"]
TIMER = Unit("x.timer", own=True, active=True)
RUNNER = Unit("agent-runner.service", limited=True)


def compared(unit, found, pending=False):
    return compare_unit(unit, found, pending, {OURS, MANY[0]}, LIMITS)


@pytest.mark.parametrize(
    ("unit", "state", "differs", "part"),
    [
        (TIMER, {"active": "inactive"}, "active", "is inactive, not active"),
        (TIMER, {"active": "failed", "result": "resources"}, "active", "failed (resources)"),
        (Unit("x.service", own=True), {"active": "failed", "result": "exit-code"}, "active", "reset-failed x.service"),
        (TIMER, {"enabled": "disabled"}, "enabled", "is disabled, not enabled"),
        (TIMER, {"enabled": ""}, "enabled", "is not enabled"),
        (TIMER, {"load": "masked"}, "load", "masked"),
        (TIMER, {"stale": True}, "load", "daemon-reload"),
        (Unit("user.slice"), {"stale": True}, "load", "daemon-reload"),
        (TIMER, {"drop_ins": [OTHER]}, "drop-in", OTHER),
        (TIMER, {"drop_ins": [f"{ETC}/x-.timer.d/a.conf"]}, "drop-in", f"{ETC}/x-.timer.d/a.conf"),
        (RUNNER, {"drop_ins": MANY, "limits": {**LIMITS, "as": [None, None]}}, "limits", MANY[1]),
        (RUNNER, {"limits": {**LIMITS, "nofile": [1024, 524288]}}, "limits", "nofile 1024:524288, not 1024:4096"),
    ],
)
def test_unit_in_another_state_than_wanted_differs(unit, state, differs, part):
    why = compared(unit, replace(RUNS, **state))
    assert list(why) == [differs] and part in why[differs]


@pytest.mark.parametrize(
    ("unit", "state"),
    [
        (TIMER, {}),
        (Unit("x.service", own=True), {"active": "inactive", "enabled": "static"}),
        # A foreign unit, which may be missing or failed.
        (Unit("agent-runner.service"), {"load": "not-found", "active": "inactive"}),
        (Unit("agent-runner.service"), {"active": "failed"}),
        # Own units, one for all timers, and one for a foreign unit.
        (TIMER, {"drop_ins": [OURS, f"{ETC}/timer.d/a.conf"]}),
        (RUNNER, {"drop_ins": MANY, "limits": LIMITS}),
        (RUNNER, {"load": "not-found"}),
    ],
)
def test_unit_in_the_wanted_state_has_no_difference(unit, state):
    assert compared(unit, replace(RUNS, **state)) == {}


def test_restart_that_a_killed_run_did_not_do_is_a_difference():
    assert list(compared(TIMER, RUNS, pending=True)) == ["restart"]


def test_only_different_limits_are_named():
    assert limits_that_differ(LIMITS, {**LIMITS, "stack": [1, 2]}) == ""
    assert limits_that_differ(LIMITS, {"as": [None, None]}) == (
        f"as unlimited, not {64 << 30}, nofile unlimited, not 1024:4096"
    )
