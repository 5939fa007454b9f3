# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Foreign files override the collection's: an audit reports the values in force."""

from __future__ import annotations

import json

import pytest

RUNNER = "/etc/systemd/system/agent-runner.service"
TIMER = "/etc/systemd/system/nova-agent-sweep.timer"
VARIABLES = {
    "agent_policy_users": ["agent1"],
    "agent_policy_create_users": True,
    "agent_limits_services": ["agent-runner"],
    "agent_ceiling_services": ["agent-runner"],
    "agent_hygiene_workspaces": ["/home/agent1/nova"],
}


@pytest.fixture(scope="module", autouse=True)
def applied(lab, toolchain):
    lab.run("host1", f"printf '[Service]\\nExecStart=sleep infinity\\n' >{RUNNER}; systemctl daemon-reload")
    lab.variables.update(VARIABLES)
    lab.site().succeeded()


@pytest.fixture
def audit(lab, tmp_path):
    """Audit, and return the status and the differences of each item."""

    def look():
        played = lab.play("nova.agent_host.audit", agent_audit_json=str(tmp_path / "audit.json"))
        (record,) = json.loads((tmp_path / "audit.json").read_text())["hosts"]
        findings = [item for item in record["items"] if item["status"] in ("drifted", "unknown")]
        return played.status, {f"{item['kind']} {item['item']}": (item["status"], item["why"]) for item in findings}

    return look


def test_overridden_limits_and_times_are_drift_and_the_file_is_named(lab, audit):
    assert audit() == (0, {})
    lab.run(
        "host1",
        f"printf '[Service]\\nLimitAS=infinity\\n' >{RUNNER}.d/99-other.conf\n"
        f"mkdir -p {TIMER}.d; printf '[Timer]\\nOnCalendar=\\nOnCalendar=yearly\\n' >{TIMER}.d/override.conf\n"
        "systemctl daemon-reload",
    )
    try:
        message = f"{TIMER.rpartition('/')[2]} is changed by {TIMER}.d/override.conf: remove that with"
        assert message in lab.site().succeeded().messages
        assert audit() == (
            2,
            {
                "unit agent-runner.service": (
                    "drifted",
                    f"is started with as unlimited, not 68719476736: remove that from {RUNNER}.d/99-other.conf",
                ),
                "unit nova-agent-sweep.timer": (
                    "drifted",
                    f"is changed by {TIMER}.d/override.conf: remove that, and set the role's variables instead",
                ),
            },
        )
    finally:
        lab.run("host1", f"rm -r {RUNNER}.d/99-other.conf {TIMER}.d; systemctl daemon-reload")
    assert audit() == (0, {})


def test_logins_are_not_tried_by_a_runuser_without_limits(lab, audit):
    lab.run("host1", "sed -i 's/^\\(session.*pam_limits\\)/#\\1/' /etc/pam.d/runuser")
    try:
        why = "/etc/pam.d/runuser does not load pam_limits: add `session required pam_limits.so`"
        assert audit() == (2, {"limits agent1": ("unknown", f"a test login failed: {why}")})
    finally:
        lab.run("host1", "sed -i 's/^#\\(session.*pam_limits\\)/\\1/' /etc/pam.d/runuser")
