# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""One host from the first apply to retire: the changes, trips and leftovers of each step."""

from __future__ import annotations

import json

import pytest

LIMITS = "/etc/security/limits.d/90-nova-agent.conf"
RUN_LIMITED = "/opt/nova-agent/bin/run_limited.sh"
GUARD = "/opt/nova-agent/libexec/cargo-guard"
HYGIENE = {
    "agent_hygiene_workspaces": ["~/nova*"],
    "agent_hygiene_audit_logs": [{"path": "/home/agent1/nova-audit.log", "owner": "agent1"}],
    # No timer acts during the tests.
    "agent_hygiene_schedule": "yearly",
    "agent_hygiene_free_schedule": "yearly",
    "agent_hygiene_audit_schedule": "yearly",
}


@pytest.fixture(scope="module", autouse=True)
def agents(lab, toolchain):
    lab.variables.update(agent_policy_users=["agent1"], agent_policy_create_users=True, **HYGIENE)


# Used after the test of a new host. Each test leaves the host compliant, except the last ones, which change variables.
@pytest.fixture(scope="module")
def provisioned(lab, agents):
    lab.site().succeeded()


def test_new_host_is_provisioned_and_retired_completely(lab):
    clean = lab.snapshot("host1")
    checked = lab.site("--check", "--diff").succeeded()
    assert "+@nova-agents - as 67108864" in checked.text and "+OnCalendar=yearly" in checked.text
    assert lab.snapshot("host1") == clean

    done = lab.site("--diff").succeeded()
    assert checked.shown() - done.shown() <= {"/opt/nova-agent"}  # the toolchain creates it in the run
    assert done.shown() <= checked.shown() and LIMITS in done.shown() and len(done.shown()) > 50
    assert " agents (" in done.messages and "done: 1 of 1 hosts" in done.messages

    before, units = (lab.snapshot("host1"), lab.trips("host1")), lab.units("host1")
    again = lab.site().succeeded()
    assert again.changed == {}
    assert lab.trips("host1") - before[1] == 1
    assert lab.site("--check", "--diff").succeeded().changed == {}
    assert lab.snapshot("host1") == before[0]

    assert lab.retire("--check").succeeded().changed
    assert (lab.snapshot("host1"), lab.units("host1")) == (before[0], units)
    played = lab.retire().succeeded()
    assert "agent1: accounts that this collection created" in played.messages
    lab.remove_accounts("host1", "agent1")
    assert lab.units("host1") == []
    assert sorted(set(lab.snapshot("host1").splitlines()) ^ set(clean.splitlines())) == []
    assert lab.retire().succeeded().changed == {}


def more_hosts(lab, tmp_path, **addresses):
    """Arguments for additional hosts."""
    hosts = {name: {"ansible_host": address, "ansible_port": port} for name, (address, port) in addresses.items()}
    (tmp_path / "more.json").write_text(json.dumps({"all": {"children": {"agent_hosts": {"hosts": hosts}}}}))
    return ["-i", str(tmp_path / "more.json")]


def test_dead_host_does_not_stop_others_and_is_named_at_the_end(lab, provisioned, tmp_path):
    dead = more_hosts(lab, tmp_path, **{"away\nor \u202egone": (lab.controller, 1)})
    lab.run("host1", f"chmod 0600 {RUN_LIMITED}")
    for changed in ({RUN_LIMITED}, set()):
        played = lab.site(*dead)
        assert (played.status, played.paths()) == (4, changed)
        assert "done: 1 of 2 hosts" in played.messages
        assert r"not reached or failed: away\nor \u202egone" in played.messages


def test_fleet_can_be_applied_in_batches(lab, tmp_path):
    twice = more_hosts(lab, tmp_path, again=(lab.addresses["host1"], 22))
    played = lab.site(*twice, agent_site_serial=1).succeeded()
    assert played.text.count("PLAY [Provision hosts for agents]") == 2
    assert "done: 2 of 2 hosts" in played.messages


def test_one_drifted_file_is_found_by_audit_and_repaired_alone_in_three_trips(lab, provisioned):
    compliant = lab.snapshot("host1")
    lab.run("host1", f"echo drift >> {LIMITS}")
    audited = lab.play("nova.agent_host.audit")
    assert (audited.status, audited.changed) == (2, {}) and LIMITS in audited.messages
    before = lab.trips("host1")
    played = lab.site("--diff").succeeded()
    assert (played.changed, played.paths()) == ({"host1": ["policy_apply"]}, {LIMITS})
    assert "-drift" in played.text
    assert lab.trips("host1") - before <= 3
    assert lab.play("nova.agent_host.audit").status == 0
    assert lab.snapshot("host1") == compliant


# Each kind of damage, each to a different path.
DAMAGED_PATHS = {
    "/opt/nova-agent/GUIDE.md": "rm {}",
    RUN_LIMITED: "chmod 0777 {}",
    "/opt/nova-agent/bin/cargo_agent.sh": "chown ubuntu {}",
    GUARD: "ln -sf /bin/true {}",
    "/usr/local/bin/rustc": "rm {}",
    "/run/nova-agent": "rm -r {}",
    "/var/lib/nova-agent": "chmod 0700 {}",
}


def test_damaged_paths_are_repaired_by_one_task_and_listed_in_check_mode(lab, provisioned):
    compliant = lab.snapshot("host1")
    lab.run("host1", "set -e; " + "; ".join(damage.format(path) for path, damage in DAMAGED_PATHS.items()))
    checked = lab.site("--check").succeeded()
    done = lab.site().succeeded()
    assert checked.changed == done.changed == {"host1": ["policy_apply"]}
    assert checked.paths() == done.paths() >= DAMAGED_PATHS.keys()
    assert lab.site().succeeded().changed == {}
    assert lab.snapshot("host1") == compliant


def test_damaged_toolchain_and_membership_are_repaired_by_one_task_each(lab, provisioned):
    lab.run(
        "host1", "gpasswd --delete agent1 nova-agents; rm -f /opt/nova-agent/toolchain/rustup/toolchains/*/bin/rustc"
    )
    checked = lab.site("--check").succeeded()
    done = lab.site().succeeded()
    assert len(done.changed["host1"]) == len(checked.changed["host1"]) == 2
    assert lab.site().succeeded().changed == {}


@pytest.mark.parametrize("folders", [["/opt/nova-agent"], ["/opt/nova-agent/.toolchain", "/opt/nova-agent/libexec"]])
def test_folders_replaced_by_links_are_created_again_by_one_apply(lab, provisioned, folders):
    for number, folder in enumerate(folders):
        lab.run("host1", f"mv {folder} /srv/elsewhere{number}; ln -s /srv/elsewhere{number} {folder}")
    checked = lab.site("--check").succeeded()
    assert lab.site().succeeded().changed == checked.changed
    assert lab.site().succeeded().changed == {}
    for folder in folders:
        assert lab.run("host1", f"stat -c %F {folder}").strip() == "directory"
    assert "FIXTURE" in lab.run("host1", "rm -r /srv/elsewhere*; rustc --version")


def test_agent_builds_with_limits_that_root_does_not_have(lab, provisioned):
    output = lab.run("host1", "sudo -iu agent1 bash /opt/nova-agent/bin/cargo_agent.sh build --locked")
    assert "FIXTURE cargo build --locked" in output
    refused = lab.run("host1", "sudo -iu agent1 bash /opt/nova-agent/bin/cargo_agent.sh test; echo status $?")
    assert "status 2" in refused
    assert lab.run("host1", "su - agent1 -c 'ulimit -v'").strip() == "67108864"
    assert lab.run("host1", "ulimit -v").strip() == "unlimited"
    assert lab.run("host1", "su - ubuntu -c 'ulimit -v'").strip() == "unlimited"


def test_unwanted_file_is_removed_unless_it_was_edited(lab, provisioned):
    lab.run("host1", f"echo edited >> {GUARD}")
    played = lab.site(agent_wrappers_guard="none").succeeded()
    assert f"{GUARD} is no longer wanted, but was edited" in played.messages
    assert "edited" in lab.run("host1", f"tail -1 {GUARD}")
    lab.run("host1", f"rm {GUARD}")
    lab.site().succeeded()
    lab.site(agent_wrappers_guard="none").succeeded()
    lab.run("host1", f"! ls {GUARD}")


def test_changed_prefix_moves_all_files(lab, provisioned):
    lab.site(agent_policy_prefix="/srv/agents/nova").succeeded()
    assert lab.run("host1", "ls -d /opt/nova-agent || true").startswith("ls: cannot access")
    assert lab.run("host1", "readlink /usr/local/bin/rustc").strip() == "/srv/agents/nova/shims/rustc"
    assert "FIXTURE cargo build" in lab.run("host1", "sudo -iu agent1 bash /srv/agents/nova/bin/cargo_agent.sh build")
    assert lab.site(agent_policy_prefix="/srv/agents/nova").succeeded().changed == {}
