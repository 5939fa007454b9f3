# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The real wrappers at full size: 300 commands of 300 accounts on a pool of 1,304 GiB, with a toolchain that sleeps.

    python tools/bench/throughput/full_size.py [--minutes 4] [--faster 6] [--agents 300]

Sleeping uses no CPU, so a small machine behaves like one with 192 CPUs. Recorded seconds are divided by ``--faster``. The result is compared
with the simulation of the same hour on a host where no process has to share a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[3] / "tests/programs"))

from wrappers.host import CHANNEL, GIB, TRIPLE, Host, program, render

from throughput.simulate import THINK, Rule, commands, simulate

POOL = 1304
GROUP, FIRST_ACCOUNT = 54999, 55000
JOBS = 32
# A STAND-IN for cargo: starts the processes of a recorded command, each as soon as its dependencies are built.
CARGO = """#!/usr/bin/python3 -IS
import json, os
units = json.load(open(os.environ["UNITS"]))
gate, rustc, faster = os.environ["RUSTC_WRAPPER"], os.environ["UNIT"], float(os.environ["FASTER"])
left = [len(unit[1]) for unit in units]
ready = [number for number, count in enumerate(left) if not count]
running = {}
while ready or running:
    while ready and len(running) < int(os.environ["CARGO_BUILD_JOBS"]):
        number = ready.pop()
        words = [gate, rustc, str(units[number][0] / faster), "--crate-name", f"unit{number}", "--crate-type", "lib"]
        running[os.posix_spawn(gate, words, os.environ)] = number
    pid, status = os.wait()
    if status:
        raise SystemExit(1)
    number = running.pop(pid)
    for other, unit in enumerate(units):
        if number in unit[1]:
            left[other] -= 1
            if not left[other]:
                ready.append(other)
"""
RUSTC = '#!/bin/sh\nexec sleep "$1"\n'


class Agent(threading.Thread):
    """Start one command after the other, as a separate account."""

    def __init__(self, host: Host, number: int, faster: float, end: float, known: list[str]) -> None:
        super().__init__(daemon=True)
        self.host, self.number, self.faster, self.end, self.known = host, number, faster, end, known
        self.random = random.Random(number)
        self.taken: list[float] = []
        self.failed = 0

    def run(self) -> None:
        time.sleep(self.random.uniform(0, 60) / self.faster)
        account = FIRST_ACCOUNT + self.number
        become = ["setpriv", f"--reuid={account}", f"--regid={GROUP}", "--clear-groups", "--"]
        while time.monotonic() < self.end:
            kind = self.random.choice(["cold test", "next test", "next test", "next check"])
            start = time.monotonic()
            env = self.host.environment(
                UNITS=str(self.host.root / f"{kind}.json"), UNIT=str(self.host.root / "rustc"), FASTER=str(self.faster)
            )
            done = subprocess.run(
                [*become, "bash", str(self.host.cargo_agent), "build"],
                env=env, cwd=self.host.checkout, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
            if done.returncode:
                self.failed += 1
                print(done.stderr.decode()[-300:], file=sys.stderr)
            if time.monotonic() < self.end:
                self.taken.append(time.monotonic() - start)
            time.sleep(self.random.uniform(*THINK) / self.faster)


def stand_ins() -> set[str]:
    """The running STAND-INs for rustc, read one by one from /proc."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{name}/comm").read_text() == "sleep\n":
                owner = os.stat(f"/proc/{name}").st_uid
                found |= {name} if FIRST_ACCOUNT <= owner < FIRST_ACCOUNT + 1000 else set()
        except OSError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--faster", type=float, default=6)
    parser.add_argument("--agents", type=int, default=300)
    options = parser.parse_args()
    threading.stack_size(256 << 10)
    with tempfile.TemporaryDirectory(prefix="full-size-") as folder:
        os.chmod(folder, 0o755)
        host = render(Path(folder), slots=options.agents, jobs=JOBS, pool_bytes=POOL * GIB, low_memory=0)
        subprocess.run([host.libexec / "memory-pool", host.policy, "--remove"], check=True)
        host.change_policy(POOL_GROUP=GROUP)
        host.make_pool()
        program(host.toolchain(f"{CHANNEL}-{TRIPLE}"), CARGO)
        program(host.root / "rustc", RUSTC)
        for kind, units in commands().items():
            (host.root / f"{kind}.json").write_text(json.dumps([[unit.seconds, unit.needs] for unit in units]))
        end = time.monotonic() + options.minutes * 60
        agents = [Agent(host, number, options.faster, end, []) for number in range(options.agents)]
        for agent in agents:
            agent.start()
        most = samples = processes = 0
        while time.monotonic() < end:
            most = max(most, POOL - host.free() // GIB)
            samples += 1
            if samples % 40 == 0:
                # A process in both samples was running between them.
                processes = max(processes, len(stand_ins() & stand_ins()))
            time.sleep(0.05)
        for agent in agents:
            agent.join(timeout=600)
    taken = sorted(seconds * options.faster for agent in agents for seconds in agent.taken)
    minutes = options.minutes * options.faster
    rule = Rule("the gate", options.agents, JOBS, POOL * 1024)
    expected = simulate(rule, options.agents, cpus=10**6, horizon=minutes * 60)
    print(f"load of the machine: {os.getloadavg()[0]:.0f} on {os.cpu_count()} CPUs")
    print(
        f"{options.agents} accounts, {minutes:.0f} minutes at {options.faster:g} times the speed: {len(taken) / minutes:.1f} commands a "
        f"minute, p50 {taken[len(taken) // 2]:.0f} s; simulated {len(expected.waits) / minutes:.1f}, p50 {expected.quantile(0.5):.0f} s; "
        f"ratio {len(taken) / len(expected.waits):.2f}"
    )
    print(
        f"most held {most:,} of {POOL:,} GiB in {samples} samples; at most {processes} processes at once; "
        f"{sum(agent.failed for agent in agents)} commands failed"
    )


if __name__ == "__main__":
    main()
