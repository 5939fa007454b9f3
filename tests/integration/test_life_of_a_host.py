# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""One host from nothing to retired: each step's changes, trips and traces. The tests build on each other, in order."""

from __future__ import annotations

import json

import pytest

LIMITS = "/etc/security/limits.d/90-nova-agent.conf"
RUN_LIMITED = "/opt/nova-agent/bin/run_limited.sh"
HOLD_LIMITS = "Hold the limits of the agents' logins"


@pytest.fixture(scope="module", autouse=True)
def clean(lab, toolchain):
    """The host as it was before anything of ours came."""
    return lab.snapshot("host1")


def files(lab):
    """The snapshot without the manifest, which names the last change."""
    return [line for line in lab.snapshot("host1").splitlines() if "/var/lib/nova-agent/manifest.json" not in line]


def manifest(lab):
    return json.loads(lab.run("host1", "cat /var/lib/nova-agent/manifest.json"))


def test_check_mode_on_the_clean_host_tells_all_and_changes_nothing(lab, clean):
    told = lab.site("--check", "--diff").succeeded()
    assert HOLD_LIMITS in told.changed["host1"]
    assert "+@nova-agents - as 67108864" in told.text
    assert lab.snapshot("host1") == clean


def test_the_first_apply_does_what_check_mode_told(lab):
    told = lab.site("--check").succeeded()
    done = lab.site().succeeded()
    assert done.changed == told.changed
    assert "host1: " in done.text and " cargo command" in done.text


def test_the_second_apply_changes_nothing_and_is_one_trip(lab):
    before = lab.snapshot("host1"), lab.trips("host1")
    played = lab.site().succeeded()
    assert played.changed == {}
    assert lab.trips("host1") - before[1] == 1
    assert lab.snapshot("host1") == before[0]


def test_check_mode_on_the_finished_host_tells_nothing(lab):
    assert lab.site("--check", "--diff").succeeded().changed == {}


def more_hosts(lab, tmp_path, **addresses):
    """Arguments for hosts beside the lab's own."""
    hosts = {name: {"ansible_host": address, "ansible_port": port} for name, (address, port) in addresses.items()}
    (tmp_path / "more.json").write_text(json.dumps({"all": {"children": {"agent_hosts": {"hosts": hosts}}}}))
    return ["-i", str(tmp_path / "more.json")]


def test_a_dead_host_stops_nobody_and_is_named_at_the_end(lab, tmp_path):
    dead = more_hosts(lab, tmp_path, **{"away\nor \u202egone": (lab.controller, 1)})
    lab.run("host1", f"chmod 0600 {RUN_LIMITED}")
    for changed in ({"host1": ["Hold the wrappers, their slots and the guard"]}, {}):
        played = lab.site(*dead)
        assert (played.status, played.changed) == (4, changed)
        assert "done: 1 of 2 hosts; not reached or failed: away or ?gone\n" in played.text
    assert "done: 1 of 1 hosts\n" in lab.site().succeeded().text


def test_a_fleet_can_be_applied_to_in_batches(lab, tmp_path):
    twice = more_hosts(lab, tmp_path, again=(lab.addresses["host1"], 22))
    played = lab.site(*twice, agent_site_serial=1).succeeded()
    assert played.text.count("PLAY [Turn hosts into hosts for agents]") == 2
    assert "done: 2 of 2 hosts\n" in played.text


def test_one_drifted_file_costs_a_look_its_role_s_call_and_the_seal(lab):
    right = files(lab)
    lab.run("host1", f"echo drift >> {LIMITS}")
    before = lab.trips("host1")
    played = lab.site("--diff").succeeded()
    assert played.changed == {"host1": [HOLD_LIMITS]}
    assert "-drift" in played.text
    assert lab.trips("host1") - before == 3
    assert files(lab) == right


@pytest.mark.parametrize(
    "damage",
    [
        f"rm {RUN_LIMITED}",
        f"chmod 0777 {RUN_LIMITED}",
        f"chown ubuntu {RUN_LIMITED}",
        f"ln -sf /bin/true {RUN_LIMITED}",
        "rm /usr/local/bin/rustc",
        "rm -r /run/nova-agent",
        "gpasswd --delete agent1 nova-agents",
        "rm /opt/nova-agent/toolchain/rustup/toolchains/*/bin/rustc",
    ],
)
def test_every_kind_of_damage_is_repaired(lab, damage):
    lab.variables.update(agent_policy_users=["agent1"], agent_policy_create_users=True)
    lab.site().succeeded()
    lab.run("host1", damage)
    assert len(lab.site().succeeded().changed["host1"]) == 1
    assert lab.site().succeeded().changed == {}


def test_an_agent_builds_through_the_wrapper(lab):
    said = lab.run("host1", "sudo -iu agent1 bash /opt/nova-agent/bin/cargo_agent.sh build --locked")
    assert "FIXTURE cargo build --locked" in said
    refused = lab.run("host1", "sudo -iu agent1 bash /opt/nova-agent/bin/cargo_agent.sh test; echo status $?")
    assert "status 2" in refused


def test_root_and_the_login_user_are_not_under_the_agents_limits(lab):
    assert lab.run("host1", "ulimit -v").strip() == "unlimited"
    assert lab.run("host1", "su - ubuntu -c 'ulimit -v'").strip() == "unlimited"
    assert lab.run("host1", "su - agent1 -c 'ulimit -v'").strip() == "67108864"


def test_a_role_that_no_longer_wants_a_file_removes_it_unless_somebody_edited_it(lab):
    lab.site(agent_wrappers_guard="none").succeeded()
    assert "cargo-guard" not in lab.run("host1", "ls /opt/nova-agent/libexec || true")
    lab.site().succeeded()
    lab.run("host1", "echo edited >> /opt/nova-agent/libexec/cargo-guard")
    told = lab.site(agent_wrappers_guard="none").succeeded()
    assert "/opt/nova-agent/libexec/cargo-guard is no longer wanted but was edited or filled" in told.text
    assert "edited" in lab.run("host1", "tail -1 /opt/nova-agent/libexec/cargo-guard")
    lab.run("host1", "rm /opt/nova-agent/libexec/cargo-guard")
    lab.site().succeeded()


def test_another_prefix_moves_everything(lab):
    lab.site(agent_policy_prefix="/srv/agents/nova").succeeded()
    assert lab.run("host1", "ls -d /opt/nova-agent || true").startswith("ls: cannot access")
    assert lab.run("host1", "readlink /usr/local/bin/rustc").strip() == "/srv/agents/nova/shims/rustc"
    assert "FIXTURE cargo build" in lab.run("host1", "sudo -iu agent1 bash /srv/agents/nova/bin/cargo_agent.sh build")
    assert lab.site(agent_policy_prefix="/srv/agents/nova").succeeded().changed == {}


def test_retire_leaves_the_host_as_it_was(lab, clean):
    lab.play("nova.agent_host.retire", "--check").succeeded()
    said = lab.play("nova.agent_host.retire").succeeded()
    assert "agent1: made by this collection, left with home" in said.text
    lab.remove_accounts("host1", "agent1")
    left = set(lab.snapshot("host1").splitlines()) ^ set(clean.splitlines())
    assert sorted(left) == []


def test_retiring_a_host_on_which_nothing_is_left_does_nothing(lab):
    assert lab.play("nova.agent_host.retire").succeeded().changed == {}
