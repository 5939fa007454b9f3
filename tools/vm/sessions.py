# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Login sessions of agents that have an idle process beside what asks for memory: who dies with whom."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from experiment import burst
from machine import Machine

KILLS = "/sys/fs/cgroup/user.slice/memory.events"
SCRIPT = f"""#!/bin/sh
# NAME: say which processes these are and where, and ask for memory once that is wanted.
sleep inf &
echo $$ $! $(cut -d: -f3 /proc/self/cgroup) >/tmp/session-$1.new
mv /tmp/session-$1.new /tmp/session-$1
until [ -e /tmp/go-$1 ]; do sleep 0.5; done
exec {burst()}
"""


@dataclass
class Session:
    """A login by ssh that stays open: the pids of the agent and of its idle process, and their group in the cgroup tree."""

    name: str
    agent: str
    idle: str
    group: str
    connection: subprocess.Popen[bytes]


def open_session(machine: Machine, user: str, name: str) -> Session:
    machine.run(
        f"rm -f /tmp/session-{name} /tmp/go-{name} /tmp/stop\n"
        f"cat >/opt/session <<'END_OF_FILE'\n{SCRIPT}END_OF_FILE\nchmod 755 /opt/session"
    )
    connection = machine.start(user, f"/opt/session {name}")
    told = machine.run(f"until [ -e /tmp/session-{name} ]; do sleep 1; done; cat /tmp/session-{name}")
    agent, idle, group = told.split()
    return Session(name, agent, idle, group, connection)


def take_memory(machine: Machine, session: Session) -> None:
    """Have the session ask for more than the ceiling, until something was killed."""
    kills = f"sed -n 's/^oom_kill //p' {KILLS}"
    machine.run(f"before=$({kills}); touch /tmp/go-{session.name}; until [ $({kills}) -gt $before ]; do sleep 1; done")


def living(machine: Machine, *pids: str) -> list[str]:
    return machine.run(f"for pid in {' '.join(pids)}; do kill -0 $pid 2>/dev/null && echo $pid || true; done").split()
