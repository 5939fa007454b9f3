# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The experiment: agents request many times the host's memory, from each kind of login, with and without the ceiling.

`python tools/vm/experiment.py` runs both and prints the table of docs/reliability.md; `experiment.py ROW ...` runs some of
`without`, `with` and `guests`. `experiment.py rounds` counts how often an agent survives its compilers (half an hour), and
`experiment.py cpus` how the CPUs are divided between accounts.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from machine import HERE, Machine

# A host of 1 GiB. The kernel uses about 50 MiB, so agents have about 590 MiB.
VARIABLES = {
    "agent_policy_users": ["agent1", "agent2", "agent3"],
    "agent_policy_create_users": True,
    "agent_policy_memory_per_agent": "512M",
    "agent_policy_system_reserve": "256M",
    "agent_policy_headroom": "128M",
    "agent_ceiling_administrator_memory": "64M",
}
ROLES = ["agent_limits", "agent_ceiling", "agent_wrappers", "agent_status"]


def play_of(roles: list[str]) -> list[dict]:
    tasks = [
        {"ansible.builtin.import_role": {"name": f"nova.agent_host.{role}", "rolespec_validate": False}}
        for role in roles
    ]
    return [{"hosts": "agent_hosts", "become": True, "gather_facts": False, "tasks": tasks}]


PLAY = play_of(ROLES)
WORKERS = 8  # for each kind of login
WORKER_MIB = 256  # RLIMIT_AS of each, as a wrapper sets it
LOAD_SECONDS = 240  # without the ceiling, because it may be impossible to end it
STEP_SECONDS = 3600  # seconds; much longer than any step takes
ANSWER_SECONDS = 60  # seconds until an answer counts as missing
PROBES = 8
UNINVOLVED = (
    "systemctl show --property MainPID --value heartbeat heartbeat-ubuntu ssh systemd-journald cron atd | xargs"
)
LOGINS = ("ssh", "su", "sudo -u", "cron", "at", "user manager")
GUESTS = 2  # bursts in the sessions of an administrator, in the row `guests`


def burst(seconds: int = STEP_SECONDS) -> str:
    return f"prlimit --as={WORKER_MIB << 20} python3 /opt/load.py {WORKERS} /tmp/stop {seconds}"


@dataclass
class Answers:
    """Seconds until ssh answered; None if it did not."""

    kept: list[float | None] = field(default_factory=list)
    fresh: list[float | None] = field(default_factory=list)


@dataclass
class Seen:
    """The result. ``strays`` are processes of agents outside user.slice, at two times."""

    idle: Answers
    load: Answers
    strays: dict[str, list[str]]
    logins: int
    outlived: bool  # the load was still running after the last answer
    pauses: dict[str, float]
    killed_by_ceiling: int
    killed_by_host: int
    peak: int | None
    ceiling: int | None
    died: list[str]
    status: str


def prepare(machine: Machine, *play: str, **ceiling: object) -> None:
    """A host with the roles (or another play), these variables of the ceiling, and the programs of the experiment."""
    played = machine.play(*(play or [PLAY]), **{**VARIABLES, **ceiling})
    assert played.returncode == 0, played.stdout
    programs = (
        f"cat >/opt/{path.name} <<'END_OF_FILE'\n{path.read_text()}END_OF_FILE\n"
        for path in sorted((HERE / "guest").glob("*.py"))
    )
    machine.run(
        "".join(programs) +
        # An account that may start agents and is not an administrator. Its processes stay in its session.
        "useradd --create-home --shell /bin/bash conductor; echo 'conductor ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/conductor\n"
        "for user in agent1 conductor; do install -d -m 0700 -o $user -g $user /home/$user/.ssh\n"
        "install -m 0600 -o $user -g $user ~ubuntu/.ssh/authorized_keys /home/$user/.ssh/; done\n"
        # Uninvolved processes: of root in system.slice, and of an administrator in that account's slice.
        "systemd-run --quiet --unit heartbeat python3 /opt/heartbeat.py /run/heartbeat\n"
        "loginctl enable-linger ubuntu\n"
        "systemd-run --quiet --unit heartbeat-ubuntu --uid ubuntu --slice user-1000.slice python3 /opt/heartbeat.py /tmp/heartbeat\n"
    )


def for_agents(machine: Machine) -> int:
    """MiB for agents, by the variables."""
    total = int(machine.run("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")) >> 10
    return total - 256 - 128


def logged_in(machine: Machine) -> int:
    """The number of bursts that are logged in."""
    return int(machine.run("find /tmp -maxdepth 1 -name 'here-*' | wc -l"))


def start_load(machine: Machine, guests: int, seconds: int) -> list[subprocess.Popen[bytes]]:
    """One burst for each kind of login, and ``guests`` in the administrator's sessions. They begin together."""
    wait = "until [ -e /tmp/go ]; do sleep 0.5; done"
    script = f"#!/bin/sh\ntouch /tmp/here-$1; chmod 666 /tmp/here-$1; {wait}; exec {burst(seconds)}\n"
    machine.run(
        f"cat >/opt/burst <<'END_OF_FILE'\n{script}END_OF_FILE\nchmod 755 /opt/burst; rm -f /tmp/here-* /tmp/go /tmp/stop"
    )
    opened = [
        machine.start("agent1", "/opt/burst ssh"),
        machine.start("conductor", "sudo su - agent2 -c '/opt/burst su'"),
        machine.start("conductor", "sudo -u agent3 /opt/burst sudo"),
        *(machine.start("ubuntu", f"sudo -u agent1 /opt/burst guest-{number}") for number in range(guests)),
    ]
    machine.run(
        "echo '@reboot /opt/burst cron' | crontab -u agent2 -\nrm -f /run/crond.reboot\nsystemctl restart cron\n"
        "echo '/opt/burst at' | sudo -u agent1 at now 2>/dev/null\n"
        "units=~agent3/.config/systemd/user\nsudo -u agent3 mkdir -p $units/default.target.wants\n"
        "printf '[Service]\\nExecStart=/opt/burst manager\\n' >$units/burst.service\n"
        "ln -sf ../burst.service $units/default.target.wants/\nloginctl enable-linger agent3\n"
        "systemctl restart user@$(id -u agent3)\n"
    )
    for _ in range(60):
        if logged_in(machine) == len(LOGINS) + guests:
            break
        time.sleep(1)
    return opened


def strays(machine: Machine) -> list[str]:
    """Processes of agents outside user.slice."""
    return machine.run(
        "for pid in $(pgrep -u agent1,agent2,agent3 || true); do "
        "group=$(cut -d: -f3 /proc/$pid/cgroup 2>/dev/null) || continue; "
        "case $group in /user.slice/*|'') ;; *) echo $(tr '\\0' ' ' </proc/$pid/cmdline) in $group ;; esac; done",
    ).splitlines()


def probe(machine: Machine, answers: Answers, times: int, timeout: float, end: float = math.inf) -> None:
    for _ in range(times):
        if time.monotonic() > end:
            return
        answers.kept.append(machine.answer(kept=True, timeout=timeout))
        answers.fresh.append(machine.answer(kept=False, timeout=timeout))


def observe(machine: Machine, ceiling: bool, guests: int = 0, timeout: float = ANSWER_SECONDS) -> Seen:
    """Run the experiment on a prepared host."""
    idle, load, outside = Answers(), Answers(), {}
    probe(machine, idle, 4, timeout)
    opened = start_load(machine, guests, STEP_SECONDS if ceiling else LOAD_SECONDS)
    before = machine.run(UNINVOLVED)  # not earlier, because a restart starts cron's job
    logins = logged_in(machine)
    outside["before"] = strays(machine)
    machine.run("touch /tmp/go")
    end = math.inf if ceiling else time.monotonic() + 2 * LOAD_SECONDS
    time.sleep(5)
    probe(machine, load, PROBES // 2, timeout, end)
    if ceiling:
        outside["under load"] = strays(machine)
    probe(machine, load, PROBES - PROBES // 2, timeout, end)
    outlived = machine.run("pgrep -f '^python3 /opt/load.py' || true") != ""
    machine.run("touch /tmp/stop")
    for connection in opened:
        connection.wait(timeout=STEP_SECONDS)
    # Without the ceiling the host may need minutes to answer again.
    log = machine.run("journalctl --sync; journalctl -k -o cat --grep 'oom-kill:constraint' || true")
    after = machine.run(UNINVOLVED)
    numbers = machine.run("cd /sys/fs/cgroup/user.slice; cat memory.peak memory.max").split()
    pauses = machine.run("cat /run/heartbeat /tmp/heartbeat").split()
    return Seen(
        idle=idle,
        load=load,
        strays=outside,
        logins=logins,
        outlived=outlived,
        pauses={"root": float(pauses[0]), "administrator": float(pauses[1])},
        killed_by_ceiling=log.count("constraint=CONSTRAINT_MEMCG"),
        killed_by_host=log.count("constraint=CONSTRAINT_NONE"),
        peak=int(numbers[0]),
        ceiling=None if numbers[1] == "max" else int(numbers[1]),
        died=[f"{old} -> {new}" for old, new in zip(before.split(), after.split()) if old != new],
        status=machine.run("/opt/nova-agent/bin/agent-status"),
    )


def survived(machine: Machine, rounds: int, equal: bool = False) -> int:
    """The number of rounds that an agent survives. It uses more memory than its wrapped compiler, which uses up the rest.
    ``equal``: the compiler has the same score as the agent."""
    command = f"python3 /opt/rounds.py {rounds} {'equal' if equal else ''}"
    return int(machine.run(f"su - agent1 -c '{command}'", timeout=STEP_SECONDS))


def row(name: str, seen: Seen) -> str:
    def times(answers: list[float | None]) -> str:
        in_time = [seconds for seconds in answers if seconds is not None]
        text = f"{statistics.median(in_time):.2f} s, at most {max(in_time):.1f} s" if in_time else "none"
        return (
            text
            if len(in_time) == len(answers)
            else f"{text}; {len(answers) - len(in_time)} of {len(answers)} not within {ANSWER_SECONDS} s"
        )

    cells = [
        name,
        f"{seen.killed_by_ceiling} by the ceiling, {seen.killed_by_host} by the host",
        f"{times(seen.load.kept)} (idle {times(seen.idle.kept)})",
        f"{times(seen.load.fresh)} (idle {times(seen.idle.fresh)})",
        f"{seen.pauses['root']:.1f} s",
        f"{seen.pauses['administrator']:.1f} s",
    ]
    return f"| {' | '.join(cells)} |"


ROWS = {
    "without": ("RLIMIT_AS alone", False, 0),
    "with": ("with the ceiling", True, 0),
    "guests": (f"with the ceiling, {GUESTS * WORKERS} more in the administrator's sessions", True, GUESTS),
}


def compare_survival(rounds: int = 20) -> None:
    """The rounds with and without the ceiling, with and without scores."""
    for ceiling in (True, False):
        machine = Machine("experiment-rounds")
        try:
            prepare(machine, agent_ceiling_enabled=ceiling)
            for equal in (False, True):
                survived_rounds = survived(machine, rounds, equal)
                print(
                    f"ceiling {ceiling}, scores {not equal}: the agent survived {survived_rounds} of {rounds} rounds",
                    flush=True,
                )
        finally:
            machine.down()


BUSY = """#!/bin/sh
for number in $(seq $1); do timeout 60 sh -c 'while :; do :; done' & done
wait
"""
# CPU seconds of each busy process of an account.
USED = "ps -u $user -o cputimes=,args= | sed -n 's/^ *\\([0-9]*\\) sh -c while.*/\\1/p' | xargs"


def compare_cpu_shares() -> None:
    """How the kernel divides two CPUs between an account with one busy process and one with six, with and without the ceiling."""
    for ceiling in (True, False):
        machine = Machine("experiment-cpus")
        try:
            prepare(machine, agent_ceiling_enabled=ceiling)
            machine.run(f"cat >/opt/busy <<'END_OF_FILE'\n{BUSY}END_OF_FILE\nchmod 755 /opt/busy")
            logins = [machine.start("agent1", "/opt/busy 1"), machine.start("conductor", "/opt/busy 6")]
            one, six = machine.run(f"sleep 40; for user in agent1 conductor; do {USED}; done").splitlines()
            print(f"ceiling {ceiling}: {one} CPU seconds for the one, {six} for the six", flush=True)
            for login in logins:
                login.wait()
        finally:
            machine.down()


def main(names: list[str]) -> None:
    print(
        "| | killed | ssh, connection kept | ssh, new connection | longest pause, root | administrator |\n|---|---|---|---|---|---|"
    )
    for name in names or ["without", "with"]:
        title, ceiling, guests = ROWS[name]
        machine = Machine(f"experiment-{name}")
        try:
            prepare(machine, agent_ceiling_enabled=ceiling)
            print(row(title, observe(machine, ceiling, guests)), flush=True)
        finally:
            machine.down()


if __name__ == "__main__":
    if sys.argv[1:] == ["rounds"]:
        compare_survival()
    elif sys.argv[1:] == ["cpus"]:
        compare_cpu_shares()
    else:
        main(sys.argv[1:])
