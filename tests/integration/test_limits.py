# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The limits of agents after each kind of login, as seen by a new login, and of other accounts."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import pytest
from conftest import HOSTS, Lab

FILE = "/etc/security/limits.d/90-nova-agent.conf"
UNIT = "/etc/systemd/system/agent-runner.service"
DROP_IN = f"{UNIT}.d/90-nova-agent.conf"
# All are below the limits of a container, so that they can be set here.
VARIABLES = {
    "agent_policy_users": ["agent1"],
    "agent_policy_create_users": True,
    "agent_limits_login_address_space": "48G",
    "agent_limits_nofile": "1000:4000",
    "agent_limits_nproc": "3000:5000",
    "agent_limits_extra": {"stack": "4096:16384", "memlock": "64"},
    "agent_limits_services": ["agent-runner"],
}
EXPECTED = {
    "address space": (48 << 30, 48 << 30),
    "core file size": (0, 0),
    "open files": (1000, 4000),
    "processes": (3000, 5000),
    "stack size": (4 << 20, 16 << 20),
    "locked memory": (64 << 10, 64 << 10),
}
REPORT = "cat /proc/self/limits"


def as_root(lab: Lab, script: str) -> str:
    ssh = [str(HOSTS), "ssh", lab.name, "host1", "--", "sudo bash -euo pipefail -s"]
    done = subprocess.run(ssh, input=script, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def ssh_of(lab: Lab, user: str) -> list[str]:
    described = subprocess.run([str(HOSTS), "describe", lab.name], check=True, text=True, stdout=subprocess.PIPE).stdout
    (host,) = json.loads(described)["hosts"]
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
    return [
        "ssh",
        "-i",
        host["identity_file"],
        *(f"-o{option}" for option in options),
        f"{user}@{lab.addresses['host1']}",
    ]


def by_ssh(lab: Lab, user: str, *arguments: str, typed: str = "") -> str:
    command = [*ssh_of(lab, user), *arguments]
    return subprocess.run(command, check=True, text=True, input=typed, stdout=subprocess.PIPE).stdout


def later(lab: Lab, start: str) -> str:
    """The output of a job that ``start`` creates and that runs later. It writes to {out}."""
    out = "/tmp/limits-of-a-job"
    return as_root(
        lab, f"rm -f {out} {out}.new\n" + start.format(out=out) + f"\ntimeout 30 sh -c 'until [ -s {out} ]; do sleep 0.1; done'\ncat {out}"
    )  # fmt: skip


# A rename publishes the complete report.
JOB = f"{REPORT} >{{out}}.new \\&\\& mv {{out}}.new {{out}}".replace("\\&", "&")

LOGINS: dict[str, Callable[[Lab], str]] = {
    "ssh with a terminal": lambda lab: by_ssh(lab, "agent1", "-tt", typed=f"{REPORT}\nexit\n"),
    "ssh with a command": lambda lab: by_ssh(lab, "agent1", REPORT),
    "su": lambda lab: as_root(lab, f"su agent1 -c '{REPORT}'"),
    "su -": lambda lab: as_root(lab, f"su - agent1 -c '{REPORT}'"),
    "sudo -u": lambda lab: as_root(lab, f"sudo -u agent1 {REPORT}"),
    "sudo -iu": lambda lab: as_root(lab, f"sudo -iu agent1 {REPORT}"),
    "runuser": lambda lab: as_root(lab, f"runuser -u agent1 -- {REPORT}"),
    # cron runs @reboot jobs when it starts, if the mark that it has run since the boot is missing.
    "cron": lambda lab: later(
        lab, f"echo '@reboot {JOB}' | crontab -u agent1 -\nrm -f /run/crond.reboot\nsystemctl restart cron"
    ),
    "at": lambda lab: later(lab, f"echo '{JOB}' | sudo -u agent1 at now 2>/dev/null"),
    "a system service": lambda lab: later(
        lab,
        f"printf '[Service]\\nUser=agent1\\nType=oneshot\\nExecStart=sh -c \"{JOB}\"\\n' >{UNIT}\n"
        "systemctl daemon-reload\nsystemctl start agent-runner",
    ),
    "a user unit": lambda lab: later(
        lab,
        # The user manager starts it at its own start, which needs no D-Bus.
        "units=~agent1/.config/systemd/user\nsudo -u agent1 mkdir -p $units/default.target.wants\n"
        f"printf '[Service]\\nType=oneshot\\nExecStart=sh -c \"{JOB}\"\\n' >$units/report.service\n"
        "ln -sf ../report.service $units/default.target.wants/\n"
        "systemctl restart user@$(id -u agent1)",
    ),
}  # fmt: skip


def limits(report: str) -> dict[str, tuple[int | None, int | None]]:
    """Soft and hard limits by name, None for unlimited."""
    rows = re.findall(r"^Max (.+?) {2,}(\S+) +(\S+)", report.replace("\r", ""), re.MULTILINE)
    return {name: tuple(None if value == "unlimited" else int(value) for value in pair) for name, *pair in rows}


@pytest.fixture(scope="module", autouse=True)
def limited(lab):
    lab.roles("agent_limits", **VARIABLES).succeeded()
    as_root(
        lab,
        "install -d -o agent1 -m 0700 ~agent1/.ssh; install -o agent1 -m 0600 ~ubuntu/.ssh/authorized_keys ~agent1/.ssh/",
    )


@pytest.mark.parametrize("login", LOGINS)
def test_agent_has_the_limits_after_every_kind_of_login(lab, login):
    found = limits(LOGINS[login](lab))
    assert {name: found[name] for name in EXPECTED} == EXPECTED


@pytest.mark.parametrize("user", ["root", "ubuntu"])
def test_root_and_the_login_user_are_not_limited(lab, user):
    report = as_root(lab, REPORT) if user == "root" else by_ssh(lab, "ubuntu", REPORT)
    found = limits(report)
    assert found["address space"] == (None, None)
    assert found["open files"][1] != 4000


def test_service_keeps_its_limits_unless_a_restart_is_configured(lab):
    as_root(lab, f"printf '[Service]\\nUser=agent1\\nExecStart=sleep infinity\\n' >{UNIT}; systemctl daemon-reload; systemctl start agent-runner")  # fmt: skip
    main_pid = "systemctl show --property MainPID --value agent-runner"
    before = as_root(lab, main_pid)
    more = {**VARIABLES, "agent_limits_login_address_space": "56G"}
    lab.roles("agent_limits", **more).succeeded()
    assert as_root(lab, main_pid) == before
    assert as_root(lab, "systemctl show --property LimitAS --value agent-runner").strip() == str(56 << 30)
    lab.roles("agent_limits", **VARIABLES, agent_limits_restart_services=True).succeeded()
    assert as_root(lab, main_pid) != before
    as_root(lab, "systemctl stop agent-runner")


def test_instances_of_a_template_unit_get_its_limits(lab):
    as_root(lab, "printf '[Service]\\nExecStart=sleep infinity\\n' >/etc/systemd/system/agent-batch@.service; systemctl daemon-reload; systemctl start agent-batch@1")  # fmt: skip
    try:
        lab.roles(
            "agent_limits",
            **{**VARIABLES, "agent_limits_services": ["agent-batch@"]},
            agent_limits_restart_services=True,
        ).succeeded()
        assert as_root(lab, "systemctl show --property LimitAS --value agent-batch@1").strip() == str(48 << 30)
    finally:
        as_root(lab, "systemctl stop agent-batch@1; rm /etc/systemd/system/agent-batch@.service")
        lab.roles("agent_limits", **VARIABLES).succeeded()


def test_unlisted_service_loses_its_drop_in(lab):
    lab.roles("agent_limits", **{**VARIABLES, "agent_limits_services": []}).succeeded()
    assert as_root(lab, "systemctl show --property LimitAS --value agent-runner").strip() == "infinity"
    assert as_root(lab, f"ls -d {UNIT}.d 2>&1 || true").startswith("ls: cannot access")
    lab.roles("agent_limits", **VARIABLES).succeeded()


def summary(lab, **variables):
    """The messages of site in check mode, with the tag of the limits."""
    return lab.site("--check", "--tags", "agent_limits", **{**VARIABLES, **variables}).succeeded().messages


def test_sessions_with_earlier_limits_are_reported_with_their_owners(lab):
    with subprocess.Popen(
        [*ssh_of(lab, "agent1"), "echo ready; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as open_session:
        assert open_session.stdout.readline() == b"ready\n"
        note = "limits: agent1 ("
        messages = {size: summary(lab, agent_limits_login_address_space=size) for size in ("48G", "32G")}
        open_session.stdin.close()
    assert note not in messages["48G"]
    assert note in messages["32G"]


def test_logins_without_limits_are_named(lab):
    notes = ("UsePAM yes", "/etc/pam.d/cron, /etc/pam.d/su")
    messages = summary(lab)
    assert not any(note in messages for note in notes)
    as_root(
        lab,
        "sed -i 's/^UsePAM yes/UsePAM no/' /etc/ssh/sshd_config\n"
        "sed -i 's/^\\(session.*pam_limits\\)/#\\1/' /etc/pam.d/cron /etc/pam.d/su",
    )
    try:
        messages = summary(lab)
    finally:
        as_root(
            lab,
            "sed -i 's/^UsePAM no/UsePAM yes/' /etc/ssh/sshd_config\n"
            "sed -i 's/^#\\(session.*pam_limits\\)/\\1/' /etc/pam.d/cron /etc/pam.d/su",
        )
    assert all(note in messages for note in notes)


def test_limits_that_block_a_shell_are_refused_and_nothing_is_written(lab):
    before = as_root(lab, f"cat {FILE} {DROP_IN}")
    played = lab.roles("agent_limits", **{**VARIABLES, "agent_limits_extra": {"data": "64"}}).failed()
    assert "no agent could log in" in played.messages
    assert as_root(lab, f"cat {FILE} {DROP_IN}") == before


def test_check_mode_and_a_second_apply_report_no_change(lab):
    lab.roles("agent_limits", **VARIABLES).succeeded()
    assert lab.roles("agent_limits", arguments=["--check", "--diff"], **VARIABLES).succeeded().changed == {}
    assert lab.roles("agent_limits", **VARIABLES).succeeded().changed == {}


def test_retire_removes_the_limits_of_logins_and_services(lab):
    lab.retire().succeeded()
    assert as_root(lab, f"ls -d {FILE} {UNIT}.d 2>&1 || true").count("No such file or directory") == 2
    assert as_root(lab, "systemctl show --property LimitAS --value agent-runner").strip() == "infinity"
    assert limits(by_ssh(lab, "agent1", REPORT))["address space"] == (None, None)
