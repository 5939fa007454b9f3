# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Workspaces of accounts that exist on every machine, swept by the code of the real program."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

# First, because Ansible's finder of collections must be set up before the first import of the collection.
from wrappers.host import CHANNEL, TRIPLE, render

# isort: split
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import HygienePolicy, Workspaces
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.sweep import Sweep
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.swept import Swept
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.targets import TAG, TAG_BEGINS
from ansible_collections.nova.agent_host.plugins.plugin_utils.library import library_files as library_files

OWNER, OTHER = "games", "daemon"  # accounts on every Debian and Ubuntu


def sysroot() -> Path | None:
    rustc = shutil.which("rustc", path=f"{os.environ.get('PATH', '')}:{Path.home()}/.cargo/bin")
    if not rustc or not shutil.which("cc"):
        return None
    done = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True, cwd="/")
    return Path(done.stdout.strip()) if done.returncode == 0 else None


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every account can reach. Other accounts can't enter pytest's folders."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as the owner of a folder")
    folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="hygiene-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cargo_agent(open_folder: Path) -> Path:
    """The rendered wrapper for this machine's real cargo, linked at a path that any account may run."""
    real = sysroot()
    if real is None:
        pytest.skip("this machine has no rustc with a C linker")
    host = render(open_folder / "host")
    place = host.home / "toolchains" / f"{CHANNEL}-{TRIPLE}"
    shutil.rmtree(place)
    subprocess.run(["cp", "-al", real, place], check=True)
    subprocess.run(["chmod", "-R", "a+rX", host.root], check=True)
    return host.cargo_agent


@dataclass
class Lab:
    """``home`` is the parent of the workspaces; ``sweep`` uses the pattern ``home``/*."""

    home: Path

    def crate(self, name: str = "nova", size: int = 2048, owner: str = OWNER) -> Path:
        """A workspace with a target folder of a little more than ``size`` bytes."""
        workspace = self.home / name
        (workspace / "src").mkdir(parents=True)
        (workspace / "Cargo.toml").write_text('[package]\nname = "demo"\nversion = "0.1.0"\nedition = "2021"\n')
        (workspace / "src" / "lib.rs").write_text("")
        debug = workspace / "target" / "debug"
        debug.mkdir(parents=True)
        (debug / ".cargo-lock").touch()
        (debug / "big").write_bytes(b"x" * size)
        give(workspace, owner)
        return workspace

    def tagged(self, path: str, size: int = 2048, owner: str = OWNER) -> Path:
        """A target folder with any name, as cargo creates it for CARGO_TARGET_DIR or build-dir."""
        folder = self.home / path
        debug = folder / "debug"
        debug.mkdir(parents=True)
        (debug / ".cargo-lock").touch()
        (debug / "big").write_bytes(b"x" * size)
        (folder / TAG).write_bytes(TAG_BEGINS + b"# ...\n")
        give(folder, owner)
        return folder

    def policy(self, *users: str, **changed: Any) -> HygienePolicy:
        found = Workspaces(f"{self.home}/*", users)
        policy = HygienePolicy(1024, (found,), (), "nobody", str(self.home / "targets.json"))
        return replace(policy, **changed)

    def sweep(self, *users: str, limit: int = 1024, dry_run: bool = False) -> list[Swept]:
        return list(Sweep(self.policy(*users), dry_run).survey(limit))


def give(folder: Path, owner: str) -> None:
    subprocess.run(["chown", "-hR", f"{pwd.getpwnam(owner).pw_uid}:{pwd.getpwnam(owner).pw_gid}", folder], check=True)


@pytest.fixture
def home(open_folder: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=open_folder))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def lab(home: Path) -> Lab:
    return Lab(home)
