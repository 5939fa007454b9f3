# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""State of units, from a STAND-IN for systemctl with recorded answers."""

from __future__ import annotations

import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.compare.units import NOT_KNOWN
from ansible_collections.nova.agent_host.plugins.module_utils.host import programs
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import observe_units, recorded_units
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import UnitState
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Record, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT

ETC = "/etc/systemd/system"
TWO = (
    "Result=success\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n\n"
    "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=yes\n"
)
LOADED = UnitState("loaded", "enabled", "active", "success", False)
MISSING = UnitState("not-found", "", "inactive", "", True)


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """Set the output of systemctl. Return a function that returns its arguments."""
    monkeypatch.setitem(programs.ENVIRONMENT, "PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    calls = tmp_path / "calls"

    def make(text: str, status: int = 0):
        (tmp_path / "answer").write_text(text)
        program = tmp_path / "systemctl"
        program.write_text(f'#!/bin/sh\necho "$*" >>{calls}\ncat {tmp_path}/answer\nexit {status}\n')
        program.chmod(0o755)
        return lambda: calls.read_text().splitlines() if calls.exists() else []

    return make


def test_units_are_returned_in_the_requested_order(systemctl):
    calls = systemctl(TWO)
    assert observe_units(["b.timer", "a.service"]) == {"b.timer": LOADED, "a.service": MISSING}
    (words,) = calls()
    assert words.startswith("show --property=") and words.endswith(" -- b.timer a.service")


def test_effective_values_after_all_drop_ins_are_read(systemctl):
    service = (
        "LimitAS=infinity\nLimitASSoft=68719476736\nLimitNOFILE=4096\nLimitNOFILESoft=1024\nLoadState=loaded\n"
        "DropInPaths=/a/90-nova-agent.conf /b/99-other.conf\nNeedDaemonReload=no\n\n"
    )
    calls = systemctl(service + "LoadState=loaded\nDropInPaths=\n")
    states = observe_units(["a.service", "b.timer"])
    assert states["a.service"].drop_ins == ["/a/90-nova-agent.conf", "/b/99-other.conf"]
    assert states["a.service"].limits == {"as": [64 << 30, None], "nofile": [1024, 4096]}
    assert (states["b.timer"].drop_ins, states["b.timer"].limits) == ([], {})
    assert {"DropInPaths", "LimitASSoft", "LimitAS"} <= set(calls()[0].split("=")[1].split()[0].split(","))


def test_without_units_no_process_is_started(systemctl):
    calls = systemctl(TWO)
    assert observe_units([]) == {} and calls() == []


@pytest.mark.parametrize(("text", "status"), [("", 0), (TWO, 0), ("LoadState=loaded\n", 1)])
def test_unanswered_query_of_systemd_is_unknown(systemctl, text, status):
    systemctl(text, status)
    assert observe_units(["a.timer"]) == {"a.timer": NOT_KNOWN}


def test_units_of_a_manifest_are_those_of_its_files():
    paths = [
        f"{ETC}/a.timer",
        f"{ETC}/b.timer.d/x.conf",
        f"{ETC}/timers.target.wants/a.timer",
        "/opt/x",
        "/opt/y.timer",
    ]
    manifest = Manifest({"r": RoleRecord({path: Record(ABSENT, ABSENT) for path in paths})})
    assert recorded_units(manifest) == ["a.timer", "b.timer"]
