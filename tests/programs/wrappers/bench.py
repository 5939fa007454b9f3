# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A host's memory pool, and commands that use it. Their STAND-IN for rustc detects if permits exceed the pool."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .host import ACCOUNTS, ALL_SLOTS, FREE, GIB, GUARD, LIBC, SLOTS, TOTAL, TURN, Host, eventually, program, render

Process = subprocess.Popen[str]
GETNCNT = 14

# A STAND-IN for rustc. It takes a token for each GiB of its cap, and returns it at its end. If there are too few tokens, the permits
# together exceed the pool. Then it runs the commands of the test.
UNIT = """#!/bin/bash
umask 0
for ((gib = $(ulimit -v) >> 20; gib; gib--)); do
  for ((i = 1; i <= TEST_GIB; i++)); do
    exec {token}<>"$TEST_ROOT/token.$i"
    flock -n "$token" && continue 2
    exec {token}<&-
  done
  echo "$TEST_NAME" >>"$TEST_ROOT/violations"
done
echo "$TEST_NAME" >>"$TEST_ROOT/started"
eval "$TEST_UNIT"
"""
# Runs until the test removes the file `hold`.
HOLD = 'echo "$$" >"$TEST_ROOT/holding.$TEST_NAME"; while [[ -e $TEST_ROOT/hold ]]; do sleep 0.02; done'
COMPILE = '"$RUSTC_WRAPPER" "$TEST_ROOT/unit" --crate-name "$TEST_NAME" --crate-type lib || exit "$?"'
REFUSED = "echo 'memory allocation of 5 bytes failed' >&2; kill -ABRT $$"


class Bench:
    """A host and the commands that a test has started on it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.processes: list[Process] = []
        program(host.root / "unit", UNIT)
        (host.root / "hold").touch()
        self.env = {"TEST_ROOT": str(host.root), "TEST_GIB": str(host.value(TOTAL) >> 4)}

    def start(
        self, unit: str = "", name: str = "x", do: str = COMPILE, user: int = 0, words: str = "build", **env: str
    ) -> Process:
        """Start a wrapped command. Its stand-in for cargo runs ``do``, and each unit runs ``unit``."""
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"] if user else []
        environment = {**self.env, "TEST_NAME": name, "TEST_UNIT": unit, "STANDIN_DO": do, **env}
        process = self.host.start(*become, "bash", self.host.cargo_agent, *words.split(), **environment)
        self.processes.append(process)
        return process

    def hold(self, name: str = "holder", user: int = 0, **env: str) -> int:
        """Start a command whose unit holds its permit until `release`. Return the unit's process."""
        self.start(HOLD, name, user=user, **env)
        return self.hold_process(name)

    def hold_process(self, name: str) -> int:
        note = self.host.root / f"holding.{name}"
        return int(eventually(lambda: note.exists() and note.read_text()))

    def release(self) -> None:
        (self.host.root / "hold").unlink()

    def waiting(self, place: int) -> int:
        return int(LIBC.semctl(self.host.set, place, GETNCNT))

    def queue(self, user: int = 0) -> int:
        """The number of waiting processes: for memory, for the host's turn, and for the turn of this account."""
        return self.waiting(FREE) + self.waiting(TURN) + self.waiting(ACCOUNTS + user % 8000)

    def lines(self, name: str) -> list[str]:
        file = self.host.root / name
        return file.read_text().splitlines() if file.exists() else []

    def finish(self) -> list[int]:
        for process in self.processes:
            process.communicate(timeout=GUARD)
        return [process.returncode for process in self.processes]

    def is_whole(self) -> bool:
        """Whether all permits and slots were returned."""
        value = self.host.value
        return (value(FREE), value(SLOTS), value(TURN)) == (value(TOTAL), value(ALL_SLOTS), 1)


@contextlib.contextmanager
def bench(host: Host) -> Iterator[Bench]:
    made = Bench(host)
    try:
        yield made
    finally:
        (host.root / "hold").unlink(missing_ok=True)
        for process in made.processes:
            process.kill()
            process.communicate(timeout=GUARD)


def pool(root: Path, gib: int, **changed: object) -> Host:
    return render(
        root,
        pool_bytes=gib * GIB,
        low_memory=0,
        **{"slots": 300, **changed},
    )
