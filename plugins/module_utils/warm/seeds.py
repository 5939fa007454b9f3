# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""The seeds of a host. Each is a folder of root with the built dependencies of a project.

A seed has a folder for each profile, its ``Cargo.lock``, ``manifest`` and ``info`` (four numbers: built dependencies,
dependencies in the lock, bytes, seconds since the epoch). A file ``registry`` means that its crates are published too.
A process that copies a seed has a shared lock on its manifest.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from dataclasses import dataclass

from .seed import Seed
from .tree import damages, read_manifest

SEED = re.compile(r"[a-z][a-z0-9]{0,19}-[0-9a-f]{12}")
LARGEST_LOCK = 16 << 20
PACKAGE = re.compile(
    r'^\[\[package\]\]\nname = "([A-Za-z0-9_-]{1,100})"\nversion = "([A-Za-z0-9.+-]{1,100})"\nsource = "([^"\n]+)"\n',
    re.MULTILINE,
)


def read_seeds(folder: str, whole: bool = False) -> list[Seed]:
    """The seeds in ``folder``, the oldest first. ``whole``: compare each file with the manifest."""
    try:
        names = sorted(filter(SEED.fullmatch, os.listdir(folder)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    seeds = [_read(f"{folder}/{name}", name, whole) for name in names]
    # Without a seed that another process removed meanwhile.
    seeds = [seed for seed in seeds if not seed.problem or os.path.lexists(f"{folder}/{seed.name}")]
    return sorted(seeds, key=lambda seed: (seed.created, seed.name))


def _read(path: str, name: str, whole: bool) -> Seed:
    try:
        with open(f"{path}/info", encoding="ascii") as file:
            numbers = [int(word) for word in file.read(200).split()]
        dependencies, locked, size, created = numbers
        problem = damage_of(os.path.dirname(path), name) if whole else ""
        return Seed(name, dependencies, locked, size, created, problem)
    except (OSError, ValueError) as error:
        return Seed(name, problem=f"info can't be read ({error})"[:200])


def damage_of(folder: str, name: str) -> str:
    """The first damage of a seed or of its crates; empty if there is none."""
    path = f"{folder}/{name}"
    try:
        found = next(damages(path, read_manifest(f"{path}/manifest"), ("manifest", "info")), ())
        if not found and os.path.exists(f"{path}/registry"):
            home = f"{os.path.dirname(folder)}/cargo/{name.partition('-')[0]}"
            found = next(damages(home, read_manifest(f"{home}.manifest")), ())
        return " ".join(found)
    except OSError as error:
        return f"{error.filename} can't be read: {error.strerror}"[:300]
    except ValueError as error:
        return str(error)[:300]


@dataclass(frozen=True)
class Crate:
    name: str
    version: str
    source: str

    @property
    def folder(self) -> str:
        """The name of cargo's folder with its sources; for git, the revision."""
        if self.source.startswith("git+"):
            return self.source.rpartition("#")[2]
        return f"{self.name}-{self.version}"


def dependencies(lock: bytes) -> list[Crate]:
    """The crates that a Cargo.lock names, except the members of the workspace."""
    return [Crate(*found) for found in PACKAGE.findall(lock.decode("utf-8", "replace"))]


def locked(path: str) -> list[Crate]:
    """The crates that a seed needs; none if its lock can't be read."""
    try:
        with open(f"{path}/Cargo.lock", "rb") as file:
            return dependencies(file.read(LARGEST_LOCK))
    except OSError:
        return []


def collect(folder: str, projects: set[str], keep: int, max_bytes: int) -> list[str]:
    """Remove old seeds until each project has at most ``keep`` and all have at most ``max_bytes``. Return their names.
    The newest seed of each project stays, and a seed that is being copied."""
    removed = []
    kept: dict[str, int] = {}
    total = 0
    for seed in reversed(read_seeds(folder)):
        count = kept.get(seed.project, 0)
        stays = seed.project in projects and not seed.problem and count < keep
        if (stays and (not count or total + seed.bytes <= max_bytes)) or not remove(folder, seed.name):
            kept[seed.project] = count + 1
            total += seed.bytes
        else:
            removed.append(seed.name)
    return removed


def remove(folder: str, name: str) -> bool:
    """Remove a seed. False if a process copies it."""
    path, old = f"{folder}/{name}", f"{folder}/.old-{name}"
    try:
        lock = os.open(f"{path}/manifest", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        lock = -1
    try:
        if lock >= 0:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(path, old)  # so an incomplete seed is never visible
        shutil.rmtree(old)
    except BlockingIOError:
        return False
    finally:
        if lock >= 0:
            os.close(lock)
    return True
