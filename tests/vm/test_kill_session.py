# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""agent_ceiling_kill: session, on a release whose systemd supports it. The tests run in order."""

from __future__ import annotations

import pytest
from experiment import PLAY, UNINVOLVED, VARIABLES
from sessions import Session, living, open_session, take_memory

SUITE = "trixie"  # systemd 257
CEILING = {"agent_ceiling_enabled": True, "agent_ceiling_kill": "session"}
ON = {**VARIABLES, **CEILING}
SERVICE = "[Service]\\nUser=agent1\\nExecStart=/opt/session service\\n"


@pytest.fixture(scope="module")
def sessions(machine) -> dict[str, Session]:
    return {name: open_session(machine, "agent1", name) for name in ("greedy", "quiet")}


def test_sessions_have_oom_group_set(machine, sessions):
    for session in sessions.values():
        assert machine.run(f"cat /sys/fs/cgroup{session.group}/memory.oom.group").strip() == "1"


def test_whole_session_is_killed_at_the_ceiling_and_other_sessions_survive(machine, sessions):
    greedy, quiet = sessions["greedy"], sessions["quiet"]
    before = machine.run(UNINVOLVED)
    take_memory(machine, greedy)
    greedy.connection.wait()  # its sshd is killed too
    machine.run(f"until ! [ -e /sys/fs/cgroup{greedy.group} ]; do sleep 1; done")
    assert living(machine, greedy.agent, greedy.idle) == []
    assert living(machine, quiet.agent, quiet.idle) == [quiet.agent, quiet.idle]
    assert machine.run(UNINVOLVED) == before


def test_kernel_log_names_only_that_session(machine, sessions):
    log = machine.run("journalctl --sync; journalctl -k -o cat --grep 'memory.oom.group set|oom-kill:constraint'")
    ended = [line.split()[2] for line in log.splitlines() if "oom.group" in line]
    assert set(ended) == {sessions["greedy"].group}
    assert "CONSTRAINT_NONE" not in log


def test_service_of_agents_is_killed_as_a_whole(machine):
    machine.run(f"printf '{SERVICE}' >/etc/systemd/system/build-runner.service; systemctl daemon-reload")
    machine.changed(machine.play(PLAY, **ON, agent_ceiling_services=["build-runner"]))
    machine.run("rm -f /tmp/session-service /tmp/go-service; systemctl start build-runner")
    agent, idle, group = machine.run(
        "until [ -e /tmp/session-service ]; do sleep 1; done; cat /tmp/session-service"
    ).split()
    assert group == "/user.slice/user-nova.slice/build-runner.service"
    machine.run("touch /tmp/go-service; while systemctl --quiet is-active build-runner; do sleep 1; done")
    assert machine.run("systemctl show --property Result --value build-runner").strip() == "oom-kill"
    assert living(machine, agent, idle) == []


def test_setting_back_to_process_resets_oom_group(machine, sessions):
    machine.changed(machine.play(PLAY, **{**ON, "agent_ceiling_kill": "process"}))
    assert machine.run("find /etc/systemd/system -path '*session-*nova-agent*'") == ""
    later = open_session(machine, "agent1", "later")
    marked = machine.run(f"cat /sys/fs/cgroup{later.group}/memory.oom.group").strip()
    machine.run(f"kill {later.agent} {later.idle} {sessions['quiet'].agent} {sessions['quiet'].idle}")
    assert marked == "0"
