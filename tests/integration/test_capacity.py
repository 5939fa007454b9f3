# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Role agent_capacity on a host with a real sshd: apply, audit and retire.

A container may not change the kernel's settings, so files of the host replace some of them: a STAND-IN
for a kernel that accepts them.
"""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import Lab

SSHD = "/etc/ssh/sshd_config.d/10-nova-agent.conf"
SYSCTL = "/etc/sysctl.d/90-nova-agent.conf"
BEFORE = {"fs.inotify.max_user_instances": 128, "kernel.keys.maxkeys": 200, "vm.max_map_count": 1_048_576}
PLAY = [{"name": "Capacity", "hosts": "agent_hosts", "become": True, "gather_facts": False, "roles": ["nova.agent_host.agent_capacity"]}]  # fmt: skip
VARIABLES = {"agent_capacity_agents": 300}


def path_of(name: str) -> str:
    return f"/proc/sys/{name.replace('.', '/')}"


def in_force(lab: Lab) -> dict[str, int]:
    values = lab.run("host1", "cat " + " ".join(map(path_of, BEFORE))).split()
    return dict(zip(BEFORE, map(int, values)))


def sshd(lab: Lab) -> dict[str, str]:
    """The configuration in force of the host's sshd, by keyword in lower case."""
    return dict(line.split(" ", 1) for line in lab.run("host1", "/usr/sbin/sshd -T").splitlines() if " " in line)


def sshd_pid(lab: Lab) -> str:
    return lab.run("host1", "systemctl show --property MainPID --value ssh").strip()


def items(lab: Lab, tmp_path, **variables) -> dict[str, dict]:
    """The items of an audit that are not ok, by name."""
    report = tmp_path / "audit.json"
    lab.play("nova.agent_host.audit", agent_audit_json=str(report), **VARIABLES, **variables)
    (host,) = json.loads(report.read_text())["hosts"]
    return {item["item"]: item for item in host["items"] if item["role"] == "agent_capacity" and item["status"] != "ok"}


@pytest.fixture
def applied(lab: Lab) -> Lab:
    lab.play(PLAY, **VARIABLES).succeeded()
    return lab


@pytest.fixture(scope="module")
def kernel(lab: Lab):
    """The STAND-IN for a kernel whose settings may be changed. The tests that use it are the last ones."""
    for name, value in BEFORE.items():
        lab.run(
            "host1",
            f"mkdir -p /run/kernel; echo {value} >/run/kernel/{name}; mount --bind /run/kernel/{name} {path_of(name)}",
        )


def test_sshd_accepts_all_agents_at_once_without_a_restart(lab):
    before = sshd_pid(lab)
    with subprocess.Popen(
        lab.ssh("host1", "echo ready; cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as session:
        assert session.stdout.readline() == b"ready\n"
        lab.play(PLAY, **VARIABLES).succeeded()
        session.stdin.close()
        assert session.wait() == 0
    assert sshd_pid(lab) == before
    assert sshd(lab)["maxstartups"] == "400:30:700"
    assert int(sshd(lab)["maxsessions"]) >= 64
    assert lab.play(PLAY, **VARIABLES).succeeded().changed == {}
    lab.play("nova.agent_host.retire", "--limit", "host1").succeeded()
    assert sshd(lab)["maxstartups"] == "10:30:100"
    assert sshd_pid(lab) == before


def test_higher_values_of_the_host_stay(lab):
    lab.run("host1", "echo 'MaxStartups 5000:10:9000' >/etc/ssh/sshd_config.d/60-own.conf")
    try:
        lab.play(PLAY, **VARIABLES).succeeded()
        assert sshd(lab)["maxstartups"] == "5000:10:9000"
    finally:
        lab.run("host1", "rm /etc/ssh/sshd_config.d/60-own.conf")


def test_earlier_file_of_sshd_is_named(applied, tmp_path):
    applied.run("host1", "echo 'MaxStartups 5' >/etc/ssh/sshd_config.d/05-own.conf")
    try:
        found = items(applied, tmp_path)["maxstartups"]
        assert found["status"] == "drifted"
        assert "/etc/ssh/sshd_config.d/05-own.conf" in found["why"]
        assert applied.play(PLAY, **VARIABLES).succeeded().changed == {}
    finally:
        applied.run("host1", "rm /etc/ssh/sshd_config.d/05-own.conf")


def test_slice_of_one_account_with_too_few_tasks_is_named(lab, tmp_path):
    uid = lab.run("host1", "groupadd -f nova-agents; useradd -G nova-agents few; id -u few").strip()
    folder = f"/etc/systemd/system/user-{uid}.slice.d"
    lab.run(
        "host1", f"mkdir {folder}; printf '[Slice]\\nTasksMax=100\\n' >{folder}/95-own.conf; systemctl daemon-reload"
    )
    try:
        assert lab.run("host1", f"systemctl show -P TasksMax user-{uid}.slice").strip() == "100"
        assert f"{folder}/95-own.conf" in items(lab, tmp_path)["TasksMax of few"]["why"]
    finally:
        lab.run("host1", f"rm -r {folder}; systemctl daemon-reload; userdel few")


def test_file_refused_by_sshd_is_not_written(lab, tmp_path):
    template = tmp_path / "sshd.conf.j2"
    template.write_text("MaxStartups many\n")
    before = sshd(lab)
    played = lab.play(PLAY, agent_capacity_sshd_template=str(template), **VARIABLES).failed()
    assert "MaxStartups" in played.text
    assert lab.run("host1", f"! grep many {SSHD}") == ""
    assert sshd(lab) == before


def test_earlier_error_of_sshd_is_named_and_does_not_block_other_roles(applied, tmp_path):
    lab, config = applied, "/etc/ssh/sshd_config"
    lab.run("host1", f"cp {config} /run/sshd_config; echo NoSuchOption yes >>{config}")
    try:
        lab.play("nova.agent_host.retire", "--limit", "host1").succeeded()
        assert lab.run("host1", f"ls {SSHD} /var/lib/nova-agent/manifest.json 2>/dev/null || true") == ""
        played = lab.roles("agent_capacity", "agent_limits", **VARIABLES).succeeded()
        assert f"{SSHD} is not written" in played.messages and f"{config}: line " in played.messages
        assert lab.run("host1", f"ls {SSHD} /etc/security/limits.d/90-nova-agent.conf 2>/dev/null || true").split() == [
            "/etc/security/limits.d/90-nova-agent.conf"
        ]
        found = items(lab, tmp_path)[SSHD]
        assert found["status"] == "drifted" and config in found["why"] and "NoSuchOption" in found["why"]
    finally:
        lab.run("host1", f"mv /run/sshd_config {config}")
    lab.play(PLAY, **VARIABLES).succeeded()
    assert sshd(lab)["maxstartups"] == "400:30:700"


def test_container_reports_the_settings_that_its_machine_needs(applied, tmp_path):
    if applied.run("host1", "test -w /proc/sys/kernel/threads-max && echo yes || true").strip():
        pytest.skip("this machine lets its containers change the kernel's settings")
    current = applied.run("host1", "cat /proc/sys/kernel/threads-max").strip()
    if int(current) >= 1228800:
        pytest.skip("this machine has enough of kernel.threads-max, the setting with the highest goal")
    found = items(applied, tmp_path)["settings"]
    assert found["status"] == "note"
    assert f"kernel.threads-max=1228800 (has {current})" in found["why"]
    assert applied.run("host1", f"ls {SYSCTL} 2>&1 || true").startswith("ls: cannot access")


def test_settings_are_raised_never_lowered_and_restored(lab, kernel):
    lab.play(PLAY, **VARIABLES).succeeded()
    raised = {**BEFORE, "fs.inotify.max_user_instances": 1024, "kernel.keys.maxkeys": 1000}
    assert in_force(lab) == raised
    assert lab.play(PLAY, **VARIABLES).succeeded().changed == {}
    lab.play(PLAY, agent_policy_count_agents="sessions", **VARIABLES).succeeded()
    assert in_force(lab)["kernel.keys.maxkeys"] == 4800
    lab.play(PLAY, **VARIABLES).succeeded()
    assert in_force(lab) == raised
    lab.play("nova.agent_host.retire", "--limit", "host1").succeeded()
    assert in_force(lab) == BEFORE


def test_disabled_part_is_restored(lab, kernel):
    lab.play(PLAY, **VARIABLES).succeeded()
    lab.play(PLAY, agent_capacity_kernel=False, agent_capacity_sshd=False, **VARIABLES).succeeded()
    assert in_force(lab) == BEFORE
    assert sshd(lab)["maxstartups"] == "10:30:100"


def test_setting_changed_by_hand_is_repaired_unless_a_later_file_sets_it(lab, kernel, tmp_path):
    lab.play(PLAY, **VARIABLES).succeeded()
    lab.run("host1", f"echo 150 >{path_of('kernel.keys.maxkeys')}")
    assert items(lab, tmp_path)["kernel.keys.maxkeys"]["status"] == "drifted"
    lab.play(PLAY, **VARIABLES).succeeded()
    assert in_force(lab)["kernel.keys.maxkeys"] == 1000
    lab.run(
        "host1",
        f"echo 'kernel.keys.maxkeys = 300' >/etc/sysctl.d/95-own.conf; echo 300 >{path_of('kernel.keys.maxkeys')}",
    )
    assert "/etc/sysctl.d/95-own.conf" in items(lab, tmp_path)["kernel.keys.maxkeys"]["why"]
    assert lab.play(PLAY, **VARIABLES).succeeded().changed == {}
