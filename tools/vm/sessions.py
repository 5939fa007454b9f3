# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Login sessions with a process that requests memory and an idle process: which of them are killed together."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from experiment import burst
from machine import Machine

KILLS = "/sys/fs/cgroup/user.slice/memory.events"
SCRIPT = f"""#!/bin/sh
# NAME: print the processes and their control group, and request memory on demand.
sleep inf &
echo $$ $! $(cut -d: -f3 /proc/self/cgroup) >/tmp/session-$1.new
mv /tmp/session-$1.new /tmp/session-$1
until [ -e /tmp/go-$1 ]; do sleep 0.5; done
exec {burst()}
"""


@dataclass
class Session:
    """An ssh login that stays open: the pids of the agent and of its idle process, and their control group."""

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
    output = machine.run(f"until [ -e /tmp/session-{name} ]; do sleep 1; done; cat /tmp/session-{name}")
    agent, idle, group = output.split()
    return Session(name, agent, idle, group, connection)


def take_memory(machine: Machine, session: Session) -> None:
    """Let the session request more than the ceiling, until a process was killed."""
    kills = f"sed -n 's/^oom_kill //p' {KILLS}"
    machine.run(f"before=$({kills}); touch /tmp/go-{session.name}; until [ $({kills}) -gt $before ]; do sleep 1; done")


def living(machine: Machine, *pids: str) -> list[str]:
    return machine.run(f"for pid in {' '.join(pids)}; do kill -0 $pid 2>/dev/null && echo $pid || true; done").split()
