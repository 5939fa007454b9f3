# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The cost of one call of agent-status, compared with an interpreter that does nothing, in turns.

The host is this machine, with two slots. The number of its processes is printed, because agent-status reads each of them.
The limit is 150 ms. The last line has the limit as a multiple of the interpreter's time.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/programs"))

from status.conftest import install

CALLS = 60
ALLOWED = 150.0


def milliseconds(command: list[str]) -> tuple[float, float]:
    """Wall and CPU time of one run."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall * 1e3, (now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime) * 1e3


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-status-") as folder:
        status = install(Path(folder))
        commands = {
            "interpreter": ["/usr/bin/python3", "-IBS", "-c", "pass"],
            "agent-status --help": [str(status.program), "--help"],
            "agent-status --json": [str(status.program), "--json"],
            "agent-status": [str(status.program)],
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(CALLS):
            for name, command in commands.items():
                taken[name].append(milliseconds(command))
    floor = [statistics.median(times[part] for times in taken["interpreter"]) for part in (0, 1)]
    processes = sum(name.isdigit() for name in os.listdir("/proc"))
    print(f"{processes} processes, load {os.getloadavg()[0]:.1f}")
    for name, times in taken.items():
        wall, cpu = (statistics.median(part) for part in zip(*times))
        print(f"{name:20} {wall:6.1f} ms  {wall / floor[0]:5.1f} x    CPU {cpu:6.1f} ms  {cpu / floor[1]:5.1f} x")
    print(f"{'allowed':20} {ALLOWED:6.1f} ms  {ALLOWED / floor[0]:5.1f} x")


if __name__ == "__main__":
    main()
