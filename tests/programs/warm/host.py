# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A host with role agent_warm in a folder: the steps of its service, and checkouts of agents."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ansible_collections.nova.agent_host.plugins.module_utils.warm.policy import Project, WarmPolicy, dump_policy
from wrappers.host import CHANNEL, TRIPLE, Result, render
from wrappers.test_real_cargo import REAL

from .workspace import registry, workspace

CHECKOUT = Path(__file__).parents[3]
FILES = CHECKOUT / "roles/agent_warm/files"
ACCOUNT = 61234  # of the service, FIXTURE
OF_THE_ACCOUNT = ("fetch", "download", "build", "clean")
STEPS = ("check", "fetch", "admit", "download", "crates", "build", "publish")
# This machine's Rust can be in root's home, which other accounts can't enter.
NAMESPACE = 'mount --bind "$1" /mnt; mount -t tmpfs -o mode=755 none ~root; mkdir -p "$1"; mount --bind /mnt "$1"; shift; exec "$@"'


def as_account(account: int, *command: object) -> list[str]:
    """The command with an account's rights, in a separate mount namespace. Its group is that of root, for the memory pool."""
    rights = ["setpriv", f"--reuid={account}", "--regid=0", "--clear-groups"]
    return [str(word) for word in ("unshare", "-m", "bash", "-ec", NAMESPACE, "bash", REAL, *rights, *command)]


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


class Warm:
    """A rendered host with role agent_warm, a project, and checkouts of it."""

    def __init__(self, root: Path, crates: str = "") -> None:
        self.host = render(root, slots=8)
        place = self.host.home / "toolchains" / f"{CHANNEL}-{TRIPLE}"
        shutil.rmtree(place)
        assert REAL
        place.symlink_to(REAL)
        self.prefix = self.host.prefix
        for folder in ("warm", "lib/agent_warm"):
            (self.prefix / folder).mkdir(parents=True)
        for name, place_of in (("agent-warm", "bin"), ("warm-member", "libexec"), ("cargo_warm.sh", "libexec")):
            shutil.copy(FILES / name, self.prefix / place_of / name)
        library = self.prefix / "lib/agent_warm/ansible_collections/nova"
        library.mkdir(parents=True)
        (library / "agent_host").symlink_to(CHECKOUT)
        self.crates = crates or str(root / "registry")
        if not crates:
            write(root / "registry", registry())
        self.source = root / "source"
        write(self.source, workspace(self.crates))
        self.state = root / "state"
        self.configure()

    def configure(self, keep: int = 2, max_bytes: int = 1 << 30, **changed: object) -> None:
        project = Project("nova", **{"source": str(self.source), "packages": ("nova-core",), **changed})  # type: ignore[arg-type]
        self.policy = WarmPolicy((project,), str(self.prefix), CHANNEL, keep, max_bytes)
        (self.prefix / "etc/warm.json").write_text(dump_policy(self.policy))

    def step(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a step of the service, as root or as the account, or another command of agent-warm."""
        command = [str(self.prefix / "bin/agent-warm"), *words]
        if words[0] in OF_THE_ACCOUNT:
            command = as_account(ACCOUNT, *command)
        env = self.host.environment(STATE_DIRECTORY=str(self.state), **environment)
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=600)

    def publish(self, *steps: str, **environment: str) -> str:
        """Run all steps of the service, or some."""
        self.state.mkdir(exist_ok=True)
        os.chown(self.state, ACCOUNT, 0)
        for step in steps or STEPS:
            done = self.step(step, "nova", **environment)
            assert done.returncode == 0, done.stderr
        return done.stdout

    def checkout(self, name: str) -> Path:
        folder = self.host.root / name
        write(folder, workspace(self.crates))
        return folder

    def cargo(self, folder: Path, *words: str, **environment: str | None) -> Result:
        return self.host.cargo(*words, "--locked", "--offline", cwd=folder, **environment)

    @property
    def seed(self) -> Path:
        (seed,) = (self.prefix / "warm/seeds").glob("nova-*")
        return seed


def compiled(result: Result) -> set[str]:
    """The names of the crates that cargo compiled or checked."""
    assert result.status == 0, result.err
    words = [line.split() for line in result.err.splitlines()]
    return {line[1] for line in words if line and line[0] in ("Compiling", "Checking")}
