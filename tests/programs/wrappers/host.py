# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Renders role agent_wrappers into a folder, and runs its programs."""

from __future__ import annotations

import atexit
import ctypes
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

init_plugin_loader()  # required to find the filters of the collection

ROLE = Path(__file__).parents[3] / "roles" / "agent_wrappers"
LIBC = ctypes.CDLL(None, use_errno=True)
GETVAL = 12
FREE, TOTAL, TURN, SLOTS, ALL_SLOTS, SERVED, ACCOUNTS = range(7)
GIB = 1 << 30
TRIPLE = "x86_64-unknown-linux-gnu"
CHANNEL = "1.92.0"
GUARD = 600  # seconds until a test counts as hanging, also on a machine with much other work

# A STAND-IN for cargo: records its call, then runs the commands of the test.
STAND_IN = r"""#!/bin/bash
[[ ! ${STANDIN_ARGS-} ]] || printf '%s\0' "$0" "$@" >"$STANDIN_ARGS"
[[ ! ${STANDIN_ENV-} ]] || env -0 >"$STANDIN_ENV"
[[ ! ${STANDIN_LIMITS-} ]] || cat /proc/self/limits >"$STANDIN_LIMITS"
[[ ! ${STANDIN_DO-} ]] || eval "$STANDIN_DO"
exit "${STANDIN_STATUS:-0}"
"""


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until ``condition`` is true, and return its value. The timeout only ends a hanging test."""
    end = time.monotonic() + GUARD
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return value


def tree(pid: int) -> list[int]:
    """A process and its descendants that still run."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(process for child in children for process in tree(int(child)))]


def sleeps(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("S")


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str
    ran: bool
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    limits: str = ""

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()

    def limit(self, name: str) -> tuple[str, str]:
        """Soft and hard limit that the stand-in saw."""
        line = next(line for line in self.limits.splitlines() if line.startswith(name))
        soft, hard = line[25:].split()[:2]
        return soft, hard


@dataclass(frozen=True)
class Host:
    """A rendered host. ``checkout`` is a working copy of an agent."""

    root: Path
    slots: int

    @property
    def prefix(self) -> Path:
        return self.root / "opt"

    @property
    def pool(self) -> Path:
        return self.root / "pool"

    @property
    def set(self) -> int:
        """The id of the pool's semaphores."""
        return int(self.pool.read_text().split()[0])

    def value(self, place: int) -> int:
        return int(LIBC.semctl(self.set, place, GETVAL))

    def free(self) -> int:
        """Free bytes of the pool."""
        return self.value(FREE) * int(self.pool.read_text().split()[1])

    def make_pool(self) -> None:
        """Create the pool, or change it to the size in its policy."""
        subprocess.run([self.libexec / "memory-pool", self.policy], check=True, capture_output=True, timeout=GUARD)

    def change_policy(self, **values: object) -> None:
        lines = dict(line.split("=", 1) for line in self.policy.read_text().splitlines() if not line.startswith("#"))
        lines.update({name: str(value) for name, value in values.items()})
        self.policy.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    @property
    def policy(self) -> Path:
        return self.prefix / "etc" / "policy.env"

    @property
    def libexec(self) -> Path:
        return self.prefix / "libexec"

    @property
    def checkout(self) -> Path:
        return self.root / "checkout"

    @property
    def run_limited(self) -> Path:
        return self.prefix / "bin" / "run_limited.sh"

    @property
    def cargo_agent(self) -> Path:
        return self.prefix / "bin" / "cargo_agent.sh"

    @property
    def guard(self) -> Path:
        return self.prefix / "libexec" / "cargo-guard"

    @property
    def home(self) -> Path:
        return self.prefix / "toolchain" / "rustup"

    def toolchain(self, name: str) -> Path:
        """Path of a toolchain's cargo."""
        return self.home / "toolchains" / name / "bin" / "cargo"

    def environment(self, **values: str | None) -> dict[str, str]:
        """The environment of an agent, without variables of the tester. None removes a variable."""
        base: dict[str, str | None] = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.root / "home"),
            "LANG": "C.UTF-8",
        }
        return {name: value for name, value in {**base, **values}.items() if value is not None}

    def start(
        self, *command: object, cwd: Path | None = None, process_group: int | None = None, **env: str | None
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd or self.checkout,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=process_group,
        )

    def cargo(self, *args: str, cwd: Path | None = None, script: Path | None = None, **env: str | None) -> Result:
        """Run the wrapper (or another script), and return the record of the stand-in."""
        notes = [self.root / f"standin-{os.getpid()}.{kind}" for kind in ("args", "env", "limits")]
        for note in notes:
            note.unlink(missing_ok=True)
        seen: dict[str, str | None] = dict(zip(("STANDIN_ARGS", "STANDIN_ENV", "STANDIN_LIMITS"), map(str, notes)))
        process = self.start("bash", script or self.cargo_agent, *args, cwd=cwd, **seen, **env)
        out, err = process.communicate(timeout=GUARD)
        words, variables, limits = (note.read_text() if note.exists() else "" for note in notes)
        return Result(
            status=process.returncode,
            out=out,
            err=err,
            ran=bool(words),
            args=words.split("\0")[1:-1],
            env=dict(pair.split("=", 1) for pair in variables.split("\0") if "=" in pair),
            limits=limits,
        )

    def shell(self, text: str, cwd: Path | None = None, **env: str | None) -> Result:
        process = self.start("bash", "-c", text, cwd=cwd, **env)
        out, err = process.communicate(timeout=GUARD)
        return Result(status=process.returncode, out=out, err=err, ran=True)


# The folders of the role's files, and the names by which cargo calls memory-gate.
FILES = {
    **{name: name for name in ("cargo_rules.sh", "cargo_config.sh", "cargo_gate.sh")},
    **{name: name for name in ("memory-gate", "cargo-command", "memory-pool", "pool-check")},
    "nested-cargo": "nested/cargo",
}
LINKS = ("rustdoc", "miri", "runner", "program")

pools: list[Host] = []  # pools stay after the end of their processes


def remove_pools(kept: int = 0) -> None:
    while len(pools) > kept:
        host = pools.pop()
        if host.pool.exists():
            LIBC.semctl(host.set, 0, 0)  # IPC_RMID


atexit.register(remove_pools)


def variables(root: Path, **changed: object) -> dict[str, object]:
    """The variables of the templates on a host with its files below ``root``."""
    return {
        **yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()),
        "agent_policy_prefix": str(root / "opt"),
        "agent_policy_group": "nova-agents",
        "agent_policy_memory_per_agent": "4G",
        "agent_policy_memory_hard_limit": "16G",
        "agent_policy_rust_channel": CHANNEL,
        "prefix": str(root / "opt"),
        "rust_channel": CHANNEL,
        "memory_per_agent": 4 * GIB,
        "memory_hard_limit": 16 * GIB,
        "slots": 2,
        "jobs": "cargo",
        "group": "nova-agents",
        "guard": "redirect",
        "idle_seconds": 0,
        "orphan_seconds": 0,
        "ledger": "",
        "pool": str(root / "pool"),
        "pool_bytes": 16 * GIB,
        "low_memory": 0,
        **changed,
    }


def render(root: Path, **changed: object) -> Host:
    """Write a complete host below ``root``: wrappers, guard, slots, toolchain with a stand-in for cargo."""
    known = variables(root, **changed)
    templar = Templar(loader=DataLoader(), variables=known)
    for template, place in {
        "run_limited.sh.j2": "bin/run_limited.sh",
        "cargo_agent.sh.j2": "bin/cargo_agent.sh",
        "cargo-guard.j2": "libexec/cargo-guard",
        "policy.env.j2": "etc/policy.env",
    }.items():
        text = templar.template(trust_as_template((ROLE / "templates" / template).read_text()))
        program(root / "opt" / place, text)
    for file, place in FILES.items():
        program(root / "opt" / "libexec" / place, (ROLE / "files" / file).read_text())
    for link in LINKS:
        (root / "opt" / "libexec" / link).symlink_to("memory-gate")

    host = Host(root, int(str(known["slots"])))
    for folder in (host.checkout, root / "home"):
        folder.mkdir(exist_ok=True)
    host.change_policy(POOL_GROUP=os.getgid())
    host.make_pool()
    pools.append(host)
    program(host.toolchain(f"{CHANNEL}-{TRIPLE}"), STAND_IN)
    program(host.prefix / "toolchain" / "bin" / "cargo", STAND_IN)  # instead of rustup's proxy
    home = shlex.quote(str(host.home))
    (host.prefix / "toolchain" / "env").write_text(
        f"RUSTUP_HOME={home}\n_toolchain_triple={TRIPLE}\n_toolchain_channel={CHANNEL}\n"
    )
    return host
