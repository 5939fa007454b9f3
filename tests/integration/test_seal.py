# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A sealed host is left alone, and nothing that should be done is ever skipped for it."""

from __future__ import annotations

import json

import pytest

ROLES = "Hold the wrappers, their slots and the guard"


@pytest.fixture(scope="module", autouse=True)
def applied(lab, toolchain):
    lab.site().succeeded()


def is_sealed(lab):
    return bool(json.loads(lab.run("host1", "cat /var/lib/nova-agent/manifest.json"))["seal"])


def test_a_sealed_host_runs_no_role(lab):
    assert is_sealed(lab)
    played = lab.site().succeeded()
    assert ROLES not in played.text and " cargo command" in played.text


def test_another_policy_is_applied_and_sealed_again(lab):
    assert lab.site(agent_limits_login_address_space="48G").succeeded().changed
    assert is_sealed(lab) and lab.site(agent_limits_login_address_space="48G").succeeded().changed == {}
    assert lab.site().succeeded().changed


def test_another_play_s_change_breaks_the_seal(lab):
    play = {"hosts": "agent_hosts", "become": True, "gather_facts": False, "roles": ["nova.agent_host.agent_limits"]}
    assert lab.play([play], agent_limits_login_address_space="40G").succeeded().changed
    assert not is_sealed(lab)
    assert lab.site().succeeded().changed == {"host1": ["Hold the limits of the agents' logins"]}
    assert is_sealed(lab)


@pytest.mark.parametrize("part", [["--tags", "agent_limits"], ["--skip-tags", "agent_limits"], ["--check"]])
def test_part_of_a_site_does_not_seal(lab, part):
    lab.run("host1", "chmod 0600 /opt/nova-agent/bin/run_limited.sh")
    lab.site(agent_limits_login_address_space="56G").succeeded()
    assert is_sealed(lab)
    lab.site(*part).succeeded()
    assert not is_sealed(lab) or part == ["--check"]
    assert lab.site().succeeded().changed
    assert lab.site().succeeded().changed == {}


def test_a_template_of_the_user_s_own_is_compared_each_time(lab, tmp_path):
    (tmp_path / "mine.j2").write_text("#!/bin/sh\necho {{ greeting }}\n")
    mine = {"agent_toolchain_pin_check_template": str(tmp_path / "mine.j2")}
    lab.site(**mine, greeting="hello").succeeded()
    assert not is_sealed(lab)
    assert lab.site(**mine, greeting="goodbye").succeeded().changed
    assert lab.run("host1", "/opt/nova-agent/bin/check-toolchain-pin").strip() == "goodbye"


def test_what_an_apply_that_broke_off_left_unread_is_read_by_the_next(lab):
    """Broken off between the files and the handlers, as a kill does it."""
    wanted = {"agent_limits_services": ["cron"], "agent_limits_restart_services": True}
    lab.site(**wanted).succeeded()
    wanted["agent_limits_login_address_space"] = "40G"
    role = {"ansible.builtin.import_role": {"name": "nova.agent_host.agent_limits"}}
    play = {
        "hosts": "agent_hosts",
        "become": True,
        "gather_facts": False,
        "tasks": [role, {"ansible.builtin.fail": {}}],
    }
    lab.play([play], **wanted).failed()
    cron = "systemctl show -P NeedDaemonReload cron; prlimit --raw --noheadings -o HARD --as --pid $(systemctl show -P MainPID cron)"
    assert lab.run("host1", cron).split() == ["yes", str(64 << 30)]
    # The files are right already; it is the handlers that are left.
    changed = lab.site(**wanted).succeeded().changed["host1"]
    assert changed[-2:] == ["Hold the limits of the agents' logins", "Restart the services whose limits changed"]
    assert lab.run("host1", cron).split() == ["no", str(40 << 30)]
    assert lab.site(**wanted).succeeded().changed == {}
    assert lab.site().succeeded().changed
