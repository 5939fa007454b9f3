# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What the wrappers cost, as ratios within one run.

One uncontended call against the floor, which is bash, flock and prlimit around the same command. The CPU time of 300
waiters. The time from a slot's release to the start of the next command in it, with one slot and with ten. Load of
others on the machine shows in all of them, so it is printed.
"""

from __future__ import annotations

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

from wrappers.host import CHANNEL, TRIPLE, Host, eventually, program, render

CALLS = 200
WAITERS = 300
WATCHED = 60.0  # seconds, in which each waiter tells once what it waits for
FLOOR = """exec 9<"$1/slot.1"
flock -n 9
prlimit --as=4294967296 -- "$2" build
"""
# The release is noted last and the start first: what lies between is the wrapper's, and one start of bash.
COMMAND = """#!/bin/bash
start=$EPOCHREALTIME
exec {idle}<>"$BENCH/$BENCH_PIPE"
read -rt "$BENCH_SECONDS" -u "$idle"
printf '%s start %s\\n%s end %s\\n' "$NOVA_CARGO_SLOT" "$start" "$NOVA_CARGO_SLOT" "$EPOCHREALTIME" >>"$BENCH/log"
"""


@contextmanager
def host(slots: int) -> Iterator[Host]:
    with tempfile.TemporaryDirectory(prefix="bench-wrappers-") as folder:
        yield render(Path(folder), slots=slots)


def milliseconds(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU time of what ``action`` runs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    action()
    wall = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall * 1e3, (now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime) * 1e3


def one_call() -> None:
    with host(2) as made:
        cargo = made.toolchain(f"{CHANNEL}-{TRIPLE}")
        cargo.unlink()
        cargo.symlink_to("/bin/true")
        floor = program(made.root / "floor.sh", FLOOR)
        commands: dict[str, list[object]] = {
            "floor": ["bash", floor, made.slot_folder, cargo],
            "wrapper": ["bash", made.cargo_agent, "build"],
            "wrapper, no slot": ["bash", made.cargo_agent, "metadata"],
            "guard": [made.guard, "build"],
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(CALLS):
            for name, command in commands.items():
                words = [str(word) for word in command]
                run = lambda words=words: subprocess.run(words, env=made.environment(), check=True)  # noqa: E731
                taken[name].append(milliseconds(run))
    wall, cpu = ({name: statistics.median(t[i] for t in times) for name, times in taken.items()} for i in (0, 1))
    for name in commands:
        print(
            f"{name:18} {wall[name]:6.2f} ms {wall[name] / wall['floor']:6.2f} x    CPU {cpu[name] / cpu['floor']:5.2f} x"
        )


def processes(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [parent, *(process for child in children for process in processes(int(child)))]


def cpu_seconds(parents: list[int]) -> float:
    tree = [process for parent in parents for process in processes(parent)]
    return sum(int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) for process in tree) / 1e9


def waiters() -> None:
    with host(10) as made:
        hold = {"STANDIN_DO": f'while [[ -e "{made.root}/hold" ]]; do sleep 0.2; done'}
        (made.root / "hold").touch()
        command = ["bash", str(made.cargo_agent), "build"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started = [
            subprocess.Popen(command, env=made.environment(**hold), cwd=made.checkout, **quiet)  # type: ignore[call-overload]
            for _ in range(10)
        ]
        time.sleep(2)
        waiting = [
            subprocess.Popen(command, env=made.environment(), cwd=made.checkout, **quiet)  # type: ignore[call-overload]
            for _ in range(WAITERS)
        ]
        pids = [process.pid for process in waiting]
        eventually(lambda: all(len(processes(pid)) > 1 for pid in pids))
        time.sleep(3)
        before = cpu_seconds(pids)
        time.sleep(WATCHED)
        used = (cpu_seconds(pids) - before) / WATCHED
        (made.root / "hold").unlink()
        for process in started + waiting:
            process.wait(timeout=120)
    print(f"{WAITERS} waiters, 10 slots   {used:6.2%} of one core together, each telling once in {WATCHED:.0f} s")


def hand_off(slots: int, commands: int) -> None:
    with host(slots) as made:
        program(made.toolchain(f"{CHANNEL}-{TRIPLE}"), COMMAND)
        for pipe in ("first", "rest"):
            os.mkfifo(made.root / pipe)
        first = os.open(made.root / "first", os.O_RDWR)
        env = made.environment(BENCH=str(made.root), BENCH_SECONDS="600", BENCH_PIPE="first")
        call = ["bash", str(made.cargo_agent), "build"]
        running = []
        for number in range(slots + commands):
            if number == slots:  # the slots are taken; the rest queues until all have come
                time.sleep(1)
                env["BENCH_PIPE"] = "rest"
            if number >= slots:  # releases come 50 ms apart on average
                env["BENCH_SECONDS"] = f"{0.05 * slots * (0.5 + number * 61 % 100 / 100):.3f}"
            running.append(subprocess.Popen(call, env=env, cwd=made.checkout, stderr=subprocess.DEVNULL))
        eventually(lambda: all(len(processes(process.pid)) > 1 for process in running))
        time.sleep(2)
        for _ in range(slots):
            os.write(first, b"go\n")
            time.sleep(0.05)
        for process in running:
            process.wait(timeout=300)
        os.close(first)
        ended: dict[str, float] = {}
        gaps = []
        events = [line.split() for line in (made.root / "log").read_text().splitlines()]
        for slot, kind, moment in sorted(events, key=lambda event: float(event[2])):
            if kind == "end":
                ended[slot] = float(moment)
            elif slot in ended:
                gaps.append((float(moment) - ended[slot]) * 1e3)
    gaps.sort()
    p50, p99 = (gaps[math.ceil(len(gaps) * share) - 1] for share in (0.50, 0.99))
    print(f"release to start, {slots:2} slots  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  ({len(gaps)} hand-offs)")


def main() -> None:
    print(f"load of the machine: {os.getloadavg()[0]:.2f} on {os.cpu_count()} CPUs")
    one_call()
    waiters()
    hand_off(1, 300)
    hand_off(10, 300)


if __name__ == "__main__":
    main()
