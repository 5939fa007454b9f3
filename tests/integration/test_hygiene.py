# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Role agent_hygiene on a host: its timers run, and drift is corrected. test_life_of_a_host.py retires it.

The host has no cargo. tests/programs/hygiene tests the sweep during a build of the real cargo.
"""

from __future__ import annotations

import json
import re

import pytest

ROLES = ("agent_wrappers", "agent_hygiene")
LOG = "/home/agent1/nova-audit.log"
UNITS = "/etc/systemd/system"
POLICY = "/opt/nova-agent/etc/hygiene.json"
VARIABLES = {
    "agent_policy_users": ["agent1"],
    "agent_policy_create_users": True,
    "agent_hygiene_target_max": "1M",
    "agent_hygiene_workspaces": ["~/nova*", {"path": "/srv/team/*", "users": ["agent1"]}],
    "agent_hygiene_audit_logs": [{"path": LOG, "owner": "agent1"}],
    # No timer repairs the files before the test.
    "agent_hygiene_schedule": "yearly",
    "agent_hygiene_free_schedule": "yearly",
    "agent_hygiene_audit_schedule": "yearly",
}
TIMERS = (
    "systemctl list-units --all --plain --no-legend 'nova-agent-[^p]*.timer' | awk '{print $1, $3}'"  # not the pool's
)
ALL = [f"nova-agent-{name}.timer active" for name in ("audit-log", "free-space", "sweep")]


@pytest.fixture(scope="module")
def provisioned(lab):
    play(lab).succeeded()


@pytest.fixture
def applied(lab, provisioned):
    """A host with the roles, without files of earlier tests."""
    lab.run("host1", f"cd /home/agent1 && rm -rf nova nova-small nova-link c; rm -rf /srv/team {LOG}.1")


def play(lab, *arguments, **changed):
    """Apply the roles with one look at the host."""
    return lab.site("--tags", ",".join(ROLES), *arguments, **{**VARIABLES, **changed})


def logged(lab, unit, program=""):
    """The output of the last run of a service."""
    program = program or unit.replace("nova-", "")
    run = f"_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {unit})"
    return lab.run("host1", f"journalctl --sync; journalctl -q -o cat {run} -t {program}").splitlines()


def workspace(lab, path, megabytes, owner="agent1"):
    lab.run(
        "host1",
        f"mkdir -p {path}/target/debug && touch {path}/Cargo.toml {path}/target/debug/.cargo-lock"
        f" && truncate -s {megabytes}M {path}/target/debug/big && chown -R {owner}: {path}",
    )


def test_play_of_roles_starts_the_timers_and_each_role_looks_once(lab):
    lab.roles(*ROLES, **VARIABLES).succeeded()
    assert lab.run("host1", TIMERS).splitlines() == ALL
    assert lab.run("host1", f"stat -c '%a %U' {LOG}").split() == ["600", "agent1"]
    before = lab.trips("host1")
    assert lab.roles(*ROLES, **VARIABLES).succeeded().changed == {}
    assert lab.trips("host1") - before == len(ROLES)


def test_service_cleans_with_the_owners_rights_and_logs_each_folder(lab, applied):
    workspace(lab, "/home/agent1/nova", 3)
    workspace(lab, "/home/agent1/nova-small", 0)
    workspace(lab, "/srv/team/one", 2)
    workspace(lab, "/srv/team/owned", 2, owner="root")
    lab.run("host1", "ln -s /srv/team/owned /home/agent1/nova-link; chown -h agent1: /home/agent1/nova-link")
    lab.run("host1", "systemctl start nova-agent-sweep.service")
    output = logged(lab, "nova-agent-sweep")
    expected = [
        "/home/agent1/nova-link: skipped: /home/agent1/nova-link is a symbolic link to /srv/team/owned",
        "/home/agent1/nova/target: 3 MiB of 1 MiB; cleaned, freed 3 MiB",
        "/home/agent1/nova-small/target: 0 MiB of 1 MiB; kept",
        "/srv/team/one/target: 2 MiB of 1 MiB; cleaned, freed 2 MiB",
        "/srv/team/owned/target: skipped: it belongs to root",
    ]
    assert len(output) == len(expected) and all(map(str.startswith, output, expected)), output
    assert lab.run("host1", "systemctl show -P Slice nova-agent-sweep.service").strip() == "user.slice"
    assert lab.run("host1", "ls -d /home/agent1/nova*/target /srv/team/*/target").split() == [
        "/home/agent1/nova-link/target", "/home/agent1/nova-small/target", "/srv/team/owned/target",
    ]  # fmt: skip
    report = json.loads(lab.run("host1", "cat /var/lib/nova-agent/targets.json"))
    found = {folder["path"]: (folder["owner"], folder["bytes"]) for folder in report["folders"]}
    assert found["/home/agent1/nova/target"] == ("agent1", 0)
    assert play(lab).succeeded().changed == {}


def test_full_disk_is_swept_by_the_service_of_the_second_timer(lab, applied):
    """On a tmpfs of 64 MiB: folders of a removed agent first, then the least recently used, until enough is free."""
    lab.run("host1", "mkdir -p /srv/team && mount -t tmpfs -o size=64m,mode=755 none /srv/team && useradd leaver")
    try:
        play(lab, agent_hygiene_workspaces=["/srv/team/*"], agent_hygiene_target_max="1G").succeeded()
        lab.run("host1", "systemctl start nova-agent-free-space.service && ls /srv/team")
        for name, owner in (("old", "agent1"), ("new", "agent1"), ("left", "leaver")):
            workspace(lab, f"/srv/team/{name}", 0, owner)
            lab.run("host1", f"cd /srv/team/{name}/target && fallocate -l 20M debug/big && chown {owner}: debug/big")
        lab.run("host1", "userdel leaver; systemctl start nova-agent-free-space.service")
        assert lab.run("host1", "ls -d /srv/team/*/target").split() == [
            f"/srv/team/{name}/target" for name in ("new", "old")
        ]
        lab.run("host1", "touch /srv/team/old/target/debug/again; fallocate -l 20M /srv/team/ballast")
        lab.run("host1", "systemctl start nova-agent-free-space.service")
        assert lab.run("host1", "ls -d /srv/team/*/target").split() == ["/srv/team/old/target"]
        (disk,) = json.loads(lab.run("host1", "cat /var/lib/nova-agent/targets.json"))["disks"]
        assert disk["path"] == "/srv/team"
        assert logged(lab, "nova-agent-free-space", "agent-sweep")[-1].startswith("/srv/team: ")
    finally:
        lab.run("host1", "umount /srv/team; userdel leaver", check=False)
        play(lab).succeeded()


def test_sweep_has_only_the_rights_of_the_owner(lab, applied):
    workspace(lab, "/home/agent1/nova", 3)
    lab.run(
        "host1",
        "cd /home/agent1/nova/target; install -D -m 0600 /dev/null roots/file; systemctl start nova-agent-sweep || true",
    )
    assert lab.run("host1", "find /home/agent1/nova/target -type f").split() == ["/home/agent1/nova/target/roots/file"]


def test_timer_corrects_the_mode_of_the_audit_log_and_warns(lab, applied):
    lab.run(
        "host1",
        f"chmod 644 {LOG}; install -o agent1 -m 644 /dev/null {LOG}.1; systemctl start nova-agent-audit-log.service",
    )
    output = [line for line in logged(lab, "nova-agent-audit-log") if "warning:" in line]
    assert [line.partition(": has mode 0644")[0] for line in output] == [f"warning: {LOG}", f"warning: {LOG}.1"]
    assert lab.run("host1", f"stat -c %a {LOG} {LOG}.1").split() == ["600", "600"]


def test_apply_corrects_an_audit_log_open_to_others_and_warns(lab, applied):
    lab.run("host1", f"chmod 664 {LOG}")
    checked = play(lab, "--check", "--diff").succeeded()
    assert checked.changed == {"host1": ["ai_audit_log"]}
    done = play(lab).succeeded()
    assert done.changed == checked.changed
    assert f"{LOG}: has mode 0664" in done.messages
    assert play(lab).succeeded().changed == {}


def test_drift_of_each_timer_is_repaired(lab, applied):
    """One timer is stopped, one is disabled, and one has another time and no service. The policy file has another mode."""
    lab.run(
        "host1",
        f"systemctl stop nova-agent-sweep.timer; chmod 644 {POLICY}; systemctl disable nova-agent-free-space.timer;"
        f" cd {UNITS}; rm nova-agent-audit-log.service; sed -i s/OnCalendar=.*/OnCalendar=monthly/ nova-agent-audit-log.timer;"
        " systemctl daemon-reload",
    )
    assert play(lab, "--check").succeeded().changed == {"host1": ["policy_apply"]}
    assert play(lab).succeeded().changed == {"host1": ["policy_apply"]}
    assert play(lab).succeeded().changed == {}
    assert lab.run("host1", TIMERS).splitlines() == ALL
    timers = " ".join(timer.split()[0] for timer in ALL)
    assert lab.run("host1", f"systemctl show -p TimersCalendar {timers}").count("OnCalendar=*-01-01") == len(ALL)
    assert lab.run("host1", f"systemctl is-enabled {timers}").split() == ["enabled"] * len(ALL)


def test_invalid_schedule_is_refused_before_any_change(lab, applied):
    before = lab.snapshot("host1")
    output = play(lab, agent_hygiene_schedule="every day").failed().messages
    assert "Failed to parse calendar specification" in output
    assert "agent_hygiene_schedule is no calendar event; see systemd.time(7)" in output
    assert lab.snapshot("host1") == before


def test_timers_without_work_are_removed(lab, applied):
    play(lab, agent_hygiene_workspaces=[], agent_hygiene_audit_logs=[]).succeeded()
    assert lab.run("host1", TIMERS).splitlines() == []
    units = {unit.split()[0] for unit in lab.units("host1")}
    assert units == {"nova-agent-pool.service", "nova-agent-pool-check.service", "nova-agent-pool-check.timer"}
    assert not re.search("nova-agent-(sweep|audit)", lab.run("host1", "ls -R /etc/systemd/system"))
    play(lab).succeeded()
    assert lab.run("host1", TIMERS).splitlines() == ALL


def test_agent_can_run_the_checker(lab, applied):
    lab.run(
        "host1",
        'mkdir -p /home/agent1/c/tests && printf \'[package]\\nname = "c"\\nedition = "2021"\\n\' >/home/agent1/c/Cargo.toml && touch /home/agent1/c/tests/x.rs && chown -R agent1: /home/agent1/c',
    )
    output = lab.run("host1", "sudo -iu agent1 sh -c 'cd c && /opt/nova-agent/bin/check-test-layout; echo status $?'")
    assert "tests/x.rs: cargo compiles and links a separate binary for it; move it to tests/harness/x.rs" in output
    assert "status 1" in output
