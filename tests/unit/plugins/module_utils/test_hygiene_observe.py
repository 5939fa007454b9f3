# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What the one look tells of units and audit logs."""

from __future__ import annotations

import json
import subprocess

from ansible_collections.nova.agent_host.plugins.module_utils import hygiene_observe
from ansible_collections.nova.agent_host.plugins.module_utils.manifest import Manifest

UNITS = "/etc/systemd/system"


def manifest(*paths):
    return Manifest({"agent_hygiene": {"paths": {path: {} for path in paths}, "trees": []}})


def answer(monkeypatch, text):
    asked = []

    def run(command, **_options):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, stdout=text)

    monkeypatch.setattr(hygiene_observe.subprocess, "run", run)
    return asked


def test_all_timers_are_asked_for_at_once_and_nothing_else_is(monkeypatch):
    asked = answer(monkeypatch, "active\n\ninactive\n")
    found = hygiene_observe.observe_units(
        manifest(
            f"{UNITS}/b.timer", f"{UNITS}/a.timer", f"{UNITS}/a.service", f"{UNITS}/timers.target.wants/a.timer", "/opt/x.timer"
        )
    )  # fmt: skip
    assert found == {"a.timer": "active", "b.timer": "inactive"}
    assert asked == [["systemctl", "show", "--property=ActiveState", "--value", "--", "a.timer", "b.timer"]]


def test_without_timers_no_process_is_started(monkeypatch):
    assert answer(monkeypatch, "") == []
    assert hygiene_observe.observe_units(manifest(f"{UNITS}/user.slice.d/x.conf")) == {}


def test_of_a_systemd_that_does_not_answer_nothing_is_believed(monkeypatch):
    answer(monkeypatch, "")
    assert hygiene_observe.observe_units(manifest(f"{UNITS}/a.timer")) == {"a.timer": "unknown"}


def test_audit_logs_are_those_that_the_host_was_told_of(tmp_path):
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "hygiene.json"
    file.write_text(
        json.dumps(
            {
                "target_max": "1G", "workspaces": [], "group": "g", "cargo_agent": "c", "report": "r",
                "audit_logs": [{"path": f"{tmp_path}/gone/audit.log", "owner": "root"}],
            }
        )
    )  # fmt: skip
    told = [{"path": f"{tmp_path}/gone/audit.log", "kind": "refused", "text": f"{tmp_path}/gone is no folder"}]
    assert hygiene_observe.observe_audit_logs(manifest(str(file))) == told
    file.write_text("damaged")
    assert hygiene_observe.observe_audit_logs(manifest(str(file))) == []
    assert hygiene_observe.observe_audit_logs(manifest()) == []
