# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The cost of hygiene, as ratios within one run: measuring a target folder, compared with `du -sb`, and checking the test
layout of 100 crates, compared with starting Python. HYGIENE_FILES is the number of files (100000; 1000000 takes minutes)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.measure import measure

FILES = int(os.environ.get("HYGIENE_FILES", "100000"))
FILES_OF_A_FOLDER = 500
CRATES = 100
LOOKS = ("newfstatat", "statx", "lstat", "stat")
PROGRAM = Path(__file__).parents[2] / "roles" / "agent_hygiene" / "files" / "check-test-layout"


def seconds(action: Callable[[], object], times: int = 3) -> float:
    """The best of some runs, so that all use the same cached files."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best


def measuring(folder: Path) -> None:
    for number in range(FILES // FILES_OF_A_FOLDER):
        place = folder / "target" / "debug" / f"d{number}"
        place.mkdir(parents=True)
        for file in range(FILES_OF_A_FOLDER):
            os.close(os.open(place / f"f{file}", os.O_CREAT | os.O_WRONLY))
    target = os.open(folder / "target", os.O_RDONLY)
    ours = seconds(lambda: measure(target))
    du = seconds(lambda: subprocess.run(["du", "-sb", folder / "target"], check=True, stdout=subprocess.DEVNULL))
    entries = measure(target).entries
    os.close(target)
    if shutil.which("strace"):
        calls = [
            "strace",
            "-f",
            "-c",
            "-e",
            f"trace={','.join(LOOKS)}",
            sys.executable,
            "-c",
            MEASURE,
            folder / "target",
        ]
        rows = [line.split() for line in subprocess.run(calls, capture_output=True, text=True).stderr.splitlines()]
        looks = sum(int(row[3]) for row in rows if row and row[-1] in LOOKS)
        print(f"  looks at a file (strace)        {looks / entries:6.2f} each")
    else:
        print("  looks at a file                 not counted: strace is not installed")
    print(f"  {entries} files and folders     {ours:6.2f} s   {ours / du:4.1f} x du -sb")


MEASURE = """
import os, sys
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.measure import measure
measure(os.open(sys.argv[1], os.O_RDONLY))
"""


def checking(folder: Path) -> None:
    folder.mkdir()
    (folder / "Cargo.toml").write_text('[workspace]\nmembers = ["crates/*"]\n')
    for number in range(CRATES):
        crate = folder / "crates" / f"c{number}"
        (crate / "tests" / "suite").mkdir(parents=True)
        dependencies = "".join(f'd{other} = {{ path = "../c{other}", features = ["a", "b"] }}\n' for other in range(20))
        (crate / "Cargo.toml").write_text(
            f'[package]\nname = "c{number}"\nedition = "2021"\n[[test]]\nname = "harness"\n[dependencies]\n{dependencies}'
        )
        for file in range(10):
            (crate / "tests" / f"t{file}.rs").write_text("mod common;\n" * 100)
    check = [sys.executable, "-IB", PROGRAM, folder]
    bare = seconds(lambda: subprocess.run([sys.executable, "-IB", "-c", ""], check=True))
    taken = seconds(lambda: subprocess.run(check, check=False, capture_output=True))
    print(f"  {CRATES} crates, 1000 loose files    {taken:6.2f} s   {taken / bare:4.1f} x an empty Python")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-hygiene-") as folder:
        print(f"Hygiene (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs)")
        checking(Path(folder) / "workspace")
        measuring(Path(folder))


if __name__ == "__main__":
    main()
