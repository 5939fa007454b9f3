# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Which units files belong to, and what is asked of a stand-in for systemctl that answers as the real one did on a host."""

from __future__ import annotations

import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host import programs
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import (
    UNKNOWN,
    drop_in_entries,
    observe_recorded_units,
    observe_units,
    unit_of,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest

ETC = "/etc/systemd/system"
TWO = (
    "Result=success\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n\n"
    "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=yes\n"
)
LOADED = {"load": "loaded", "enabled": "enabled", "active": "active", "result": "success", "stale": False}
MISSING = {"load": "not-found", "enabled": "", "active": "inactive", "result": "", "stale": True}


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """Make what systemctl says; gives a function that tells what it was asked."""
    monkeypatch.setitem(programs.ENVIRONMENT, "PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asked = tmp_path / "asked"

    def make(text: str, status: int = 0):
        (tmp_path / "answer").write_text(text)
        program = tmp_path / "systemctl"
        program.write_text(f'#!/bin/sh\necho "$*" >>{asked}\ncat {tmp_path}/answer\nexit {status}\n')
        program.chmod(0o755)
        return lambda: asked.read_text().splitlines() if asked.exists() else []

    return make


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (f"{ETC}/sweep.timer", "sweep.timer"),
        ("/run/systemd/system/sweep.service", "sweep.service"),
        (f"{ETC}/user.slice.d/90-nova-agent.conf", "user.slice"),
        (f"{ETC}/user-1000.slice.d/90-nova-agent.conf", "user-1000.slice"),
        (f"{ETC}/user.slice.d", ""),
        (f"{ETC}/timers.target.wants/sweep.timer", "sweep.timer"),
        (f"{ETC}/timers.target.wants", ""),
        (f"{ETC}/user@.service.d/90-nova-agent.conf", ""),
        (f"{ETC}/session-.scope.d/90-nova-agent.conf", ""),
        ("/etc/systemd/user/of-a-user.service", ""),
        ("/opt/nova-agent/x.timer", ""),
        (ETC, ""),
    ],
)
def test_a_file_belongs_to_a_unit_by_its_place(path, unit):
    assert unit_of(path) == unit


def test_a_drop_in_is_made_for_each_unit():
    entry = {"content": "[Slice]\n", "mode": "0644"}
    assert drop_in_entries(["build-runner", "lint@1.service", "user-0.slice", "v1.2"], "90-x.conf", entry) == [
        {**entry, "path": f"{ETC}/build-runner.service.d/90-x.conf"},
        {**entry, "path": f"{ETC}/lint@1.service.d/90-x.conf"},
        {**entry, "path": f"{ETC}/user-0.slice.d/90-x.conf"},
        {**entry, "path": f"{ETC}/v1.2.service.d/90-x.conf"},
    ]
    assert drop_in_entries([], "90-x.conf", entry) == []


def test_units_are_told_in_the_order_asked(systemctl):
    asked = systemctl(TWO)
    assert observe_units(["b.timer", "a.service"]) == {"b.timer": LOADED, "a.service": MISSING}
    (words,) = asked()
    assert words.startswith("show --property=LoadState,") and words.endswith(" -- b.timer a.service")


def test_what_holds_after_all_drop_ins_is_told_for_an_audit(systemctl):
    service = (
        "LimitAS=infinity\nLimitASSoft=68719476736\nLimitNOFILE=4096\nLimitNOFILESoft=1024\nLoadState=loaded\n"
        "DropInPaths=/a/90-nova-agent.conf /b/99-other.conf\nNeedDaemonReload=no\n\n"
    )
    asked = systemctl(service + "LoadState=loaded\nDropInPaths=\n")
    seen = observe_units(["a.service", "b.timer"], ["as", "nofile"])
    assert seen["a.service"]["drop_ins"] == ["/a/90-nova-agent.conf", "/b/99-other.conf"]
    assert seen["a.service"]["limits"] == {"as": [64 << 30, None], "nofile": [1024, 4096]}
    assert (seen["b.timer"]["drop_ins"], seen["b.timer"]["limits"]) == ([], {})
    assert ",DropInPaths,LimitASSoft,LimitAS,LimitNOFILESoft,LimitNOFILE -- " in asked()[0]


def test_without_units_no_process_is_started(systemctl):
    asked = systemctl(TWO)
    assert observe_units([]) == {} and asked() == []


@pytest.mark.parametrize(("text", "status"), [("", 0), (TWO, 0), ("LoadState=loaded\n", 1)])
def test_of_a_systemd_that_does_not_answer_nothing_is_believed(systemctl, text, status):
    systemctl(text, status)
    assert observe_units(["a.timer"]) == {"a.timer": UNKNOWN}


def test_what_systemd_has_not_read_is_told_by_role(systemctl):
    roles = {
        "agent_hygiene": [f"{ETC}/a.timer", f"{ETC}/b.timer", "/opt/x"],
        "agent_limits": [f"{ETC}/b.timer.d/x.conf"],
        "agent_wrappers": ["/opt/y"],
    }
    asked = systemctl(TWO)
    manifest = Manifest({name: {"paths": {path: {} for path in paths}, "trees": []} for name, paths in roles.items()})
    assert observe_recorded_units(manifest) == (
        {"a.timer": LOADED, "b.timer": MISSING},
        {"agent_hygiene": ["b.timer"], "agent_limits": ["b.timer"], "agent_wrappers": []},
    )
    assert len(asked()) == 1
