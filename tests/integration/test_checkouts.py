# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Links in checkouts: no content of an agent's folder blocks the policy."""

from __future__ import annotations

import json

import pytest

CHECKOUT = "/home/agent1/nova"
LINK = f"{CHECKOUT}/scripts/cargo_agent.sh"
NUMBERS = "/opt/nova-agent/etc/policy.env"


@pytest.fixture(scope="module", autouse=True)
def checkout(lab):
    lab.variables.update(agent_policy_users=["agent1"], agent_wrappers_checkouts=[CHECKOUT])
    lab.run("host1", f"useradd -m agent1; mkdir /srv/other; su agent1 -c 'mkdir -p {CHECKOUT}/scripts'")


def apply(lab, *arguments, **variables):
    return lab.roles("agent_wrappers", arguments=arguments, **variables)


def test_links_in_checkouts_are_created_once_and_removed(lab):
    lab.run("host1", f"su agent1 -c 'echo mine > {LINK}'")
    apply(lab).succeeded()
    assert lab.run("host1", f"readlink {LINK}; stat -c %U {LINK}").split() == [
        "/opt/nova-agent/bin/cargo_agent.sh",
        "agent1",
    ]
    assert apply(lab).succeeded().changed == {}
    lab.retire().succeeded()
    assert lab.run("host1", f"cat {LINK}; stat -c %U {LINK}").split() == ["mine", "agent1"]


def test_full_temporary_folders_do_not_block_the_policy(lab):
    folders = ("/tmp", "/var/tmp", "/dev/shm")
    for folder in folders:
        lab.run(
            "host1",
            f"mount -t tmpfs -o size=64k,mode=1777 full {folder}; su agent1 -c 'cat /dev/zero >{folder}/mine' || true",
        )
    try:
        lab.roles("agent_capacity").succeeded()  # sshd checks its file
        assert lab.roles("agent_capacity").succeeded().changed == {}
    finally:
        lab.run("host1", f"umount {' '.join(folders)}")


def test_check_mode_audit_and_run_agree_about_links_that_are_not_created(lab, tmp_path):
    """A checkout is created by its owner. A missing folder of it is no reason for root to create one."""
    lab.run("host1", "su agent1 -c 'mkdir -p ~/sealed ~/new; chmod 0500 ~/sealed'")
    left = {
        f"{folder}/scripts/{name}": f"there is no folder {folder}: create it, or remove it from the list"
        for folder in ("/home/agent1/none", "/srv/none", "/home/later/nova")
        for name in ("cargo_agent.sh", "run_limited.sh")
    } | {f"/home/agent1/sealed/scripts/{name}": "Permission denied" for name in ("cargo_agent.sh", "run_limited.sh")}
    folders = {path.rpartition("/scripts/")[0] for path in left}
    apply(lab, agent_wrappers_checkouts=[]).succeeded()
    policy = {"agent_wrappers_checkouts": ["/home/agent1/new", *folders]}
    checked, done = apply(lab, "--check", "--diff", **policy).succeeded(), apply(lab, "--diff", **policy).succeeded()
    assert checked.changed == done.changed
    assert checked.shown() == done.shown() and "/home/agent1/new/scripts/cargo_agent.sh" in done.shown()
    assert checked.of("policy_apply")[-1]["left_out"] == done.of("policy_apply")[-1]["left_out"] == left
    assert "No such file" in lab.run("host1", "ls -d /srv/none", check=False)

    report = tmp_path / "audit.json"
    assert lab.play("nova.agent_host.audit", agent_audit_json=str(report), **policy).status == 2
    items = json.loads(report.read_text())["hosts"][0]["items"]
    why = {
        item["item"]: item["why"] for item in items if item["status"] == "drifted" and item["role"] == "agent_wrappers"
    }
    assert why == left
    for arguments in ((), ("--check",)):
        assert apply(lab, *arguments, **policy).succeeded().changed == {}
    lab.retire().succeeded()


OBSTACLES = {
    "directory": "mkdir {folder}/scripts/cargo_agent.sh && touch {folder}/scripts/cargo_agent.sh/mine",
    "link": "rmdir {folder}/scripts && ln -s /srv/other {folder}/scripts",
    "closed": "chmod 0500 {folder}/scripts",
}


def test_obstacle_in_a_checkout_is_a_warning_and_the_policy_is_applied(lab, tmp_path):
    folders = {name: f"/home/agent1/{name}" for name in OBSTACLES}
    for name, folder in folders.items():
        obstacle = OBSTACLES[name].format(folder=folder)
        lab.run("host1", f"su agent1 -c 'mkdir -p {folder}/scripts; {obstacle}'")
    policy = {"agent_policy_memory_per_agent": "3G", "agent_wrappers_checkouts": list(folders.values())}
    played = apply(lab, **policy).succeeded()
    links = [f"{folder}/scripts/cargo_agent.sh" for folder in folders.values()]
    assert all(link in played.messages for link in links)
    assert f"MEMORY_PER_AGENT={3 << 30}" in lab.run("host1", f"cat {NUMBERS}")
    assert lab.run("host1", "ls /srv/other") == ""
    report = tmp_path / "audit.json"
    audit = lab.play("nova.agent_host.audit", agent_audit_json=str(report), **policy)
    assert (audit.status, audit.changed) == (2, {})
    items = json.loads(report.read_text())["hosts"][0]["items"]
    statuses = {item["item"]: item["status"] for item in items}
    assert {statuses[link] for link in links} <= {"drifted", "unknown"}
    lab.retire().succeeded()
    assert lab.run("host1", f"ls {NUMBERS} 2>/dev/null || echo gone").strip() == "gone"
