# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The cost of the wrappers, as ratios within one run.

One call without other commands, compared with the baseline: bash, flock and prlimit around the same command. One process with the gate,
compared with perl, and with bash and flock. The CPU time and memory of 300 waiting commands. The time from the end of a holder to the
start of the next. Other work on the machine changes all values, so its load is printed.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/programs"))

from wrappers.host import CHANNEL, GIB, TRIPLE, Host, eventually, program, render, tree

CALLS = 200
WAITERS = 300
WATCHED = 60.0  # seconds in which each waiting command prints one message
FLOOR = """exec 9<"$1/lock"
flock -n 9
prlimit --as=4294967296 -- "$2" build
"""
# A STAND-IN for cargo that starts a process again and again, with and without the gate.
PROCESSES = """#!/usr/bin/python3 -IS
import os, subprocess, statistics, sys, time
gate, calls = os.environ["RUSTC_WRAPPER"], int(os.environ["CALLS"])
ways = {
    "the process alone": ["/bin/true"],
    "perl": ["perl", "-e", "exec '/bin/true'"],
    "bash and flock": ["bash", "-c", 'exec 9<"$0"; flock -n 9; exec /bin/true', os.environ["LOCK"]],
    "the gate": [gate, "/bin/true", "--crate-name", "x", "--crate-type", "lib"],
}
taken = {name: [] for name in ways}
for _ in range(calls):
    for name, words in ways.items():
        start = time.perf_counter()
        subprocess.run(words, stderr=subprocess.PIPE, check=True)
        taken[name].append((time.perf_counter() - start) * 1e3)
least = statistics.median(taken["the process alone"])
for name, times in taken.items():
    print(f"{name:18} {statistics.median(times):6.2f} ms  {statistics.median(times) - least:+6.2f} ms")
"""
COMPILE = '"$RUSTC_WRAPPER" bash -c "$UNIT" --crate-name x --crate-type lib'


@contextmanager
def host(gib: int) -> Iterator[Host]:
    """A host with this memory, and slots for all commands."""
    with tempfile.TemporaryDirectory(prefix="bench-wrappers-") as folder:
        yield render(Path(folder), slots=999, pool_bytes=gib * GIB, low_memory=GIB)


def milliseconds(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU time of ``action``."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    action()
    wall = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall * 1e3, (now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime) * 1e3


def one_call() -> None:
    with host(64) as rendered:
        (rendered.root / "lock").touch()
        cargo = rendered.toolchain(f"{CHANNEL}-{TRIPLE}")
        cargo.unlink()
        cargo.symlink_to("/bin/true")
        floor = program(rendered.root / "floor.sh", FLOOR)
        commands: dict[str, list[object]] = {
            "floor": ["bash", floor, rendered.root, cargo],
            "wrapper": ["bash", rendered.cargo_agent, "build"],
            "wrapper, no gate": ["bash", rendered.cargo_agent, "metadata"],
            "guard": [rendered.guard, "build"],
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(CALLS):
            for name, command in commands.items():
                words = [str(word) for word in command]
                run = lambda words=words: subprocess.run(words, env=rendered.environment(), check=True)  # noqa: E731
                taken[name].append(milliseconds(run))
    wall, cpu = ({name: statistics.median(t[i] for t in times) for name, times in taken.items()} for i in (0, 1))
    for name in commands:
        print(
            f"{name:18} {wall[name]:6.2f} ms {wall[name] / wall['floor']:6.2f} x    CPU {cpu[name] / cpu['floor']:5.2f} x"
        )


def cpu_seconds(parents: list[int]) -> float:
    used = 0
    for process in (process for parent in parents for process in tree(parent)):
        with contextlib.suppress(FileNotFoundError):  # a child of the holder may end meanwhile
            used += int(Path(f"/proc/{process}/schedstat").read_text().split()[0])
    return used / 1e9


def one_process() -> None:
    with host(64) as rendered:
        (rendered.root / "lock").touch()
        program(rendered.toolchain(f"{CHANNEL}-{TRIPLE}"), PROCESSES)
        env = rendered.environment(CALLS=str(CALLS), LOCK=str(rendered.root / "lock"))
        subprocess.run(["bash", str(rendered.cargo_agent), "build"], env=env, cwd=rendered.checkout, check=True)


def memory(parents: list[int]) -> float:
    """MiB of a process and its descendants. Shared pages are divided by the number of processes."""
    running = [process for parent in parents for process in tree(parent)]
    lines = [line for process in running for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def gates(parents: list[int]) -> list[int]:
    """The processes of the gate below these, except the command and its supervisor."""
    found = []
    for parent in parents:
        for process in tree(parent):
            if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"memory-gate: waits"):
                found.append(process)
    return found


def waiters() -> None:
    with host(4) as rendered:
        unit = f'while [[ -e "{rendered.root}/hold" ]]; do sleep 0.2; done'
        (rendered.root / "hold").touch()
        command = ["bash", str(rendered.cargo_agent), "build"]
        env = rendered.environment(UNIT=unit, STANDIN_DO=f"exec {COMPILE}")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [
            subprocess.Popen(command, env=env, cwd=rendered.checkout, **quiet)  # type: ignore[call-overload]
            for _ in range(WAITERS + 1)
        ]
        pids = [process.pid for process in started]
        eventually(lambda: len(gates(pids)) == WAITERS)
        time.sleep(3)
        before = cpu_seconds(pids)
        time.sleep(WATCHED)
        used = (cpu_seconds(pids) - before) / WATCHED
        share = memory(gates(pids)) / WAITERS
        (rendered.root / "hold").unlink()
        for process in started:
            process.wait(timeout=300)
    print(
        f"{WAITERS} waiters   {used:6.2%} of one core together, each prints one message in {WATCHED:.0f} s; {share:.2f} MiB each"
    )


def hand_off(count: int) -> None:
    with host(4) as rendered:
        # From the last note of one holder to the first note of the next: the time of the gate.
        unit = f'start=$EPOCHREALTIME; sleep 0.05; echo "$start $EPOCHREALTIME" >>"{rendered.root}/log"'
        env = rendered.environment(UNIT=unit, STANDIN_DO=f"exec {COMPILE}")
        command = ["bash", str(rendered.cargo_agent), "build"]
        running = [
            subprocess.Popen(command, env=env, cwd=rendered.checkout, stderr=subprocess.DEVNULL) for _ in range(count)
        ]
        for process in running:
            process.wait(timeout=300)
        moments = sorted(tuple(map(float, line.split())) for line in (rendered.root / "log").read_text().splitlines())
    gaps = sorted((start - end) * 1e3 for (_, end), (start, _) in zip(moments, moments[1:]))
    p50, p99 = (gaps[math.ceil(len(gaps) * share) - 1] for share in (0.50, 0.99))
    print(f"end to next start  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  ({len(gaps)} hand-offs)")


def main() -> None:
    print(f"load of the machine: {os.getloadavg()[0]:.2f} on {os.cpu_count()} CPUs")
    one_call()
    one_process()
    waiters()
    hand_off(100)


if __name__ == "__main__":
    main()
