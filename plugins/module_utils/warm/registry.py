# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""The crates of a project as a CARGO_HOME that belongs to root, at one path for all accounts.

``warm/cargo/PROJECT`` has the downloads of cargo, ``PROJECT.manifest`` the sha256 of each file, ``PROJECT.json`` the
time at which a seed last needed each crate. Unused crates stay for ``KEPT`` seconds, for checkouts with an older lock.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from ..host.files import write_whole
from .account import Account
from .policy import WarmPolicy
from .seeds import locked, read_seeds
from .tree import damages, read_manifest, write_manifest

Copy = Callable[[str, str, int], tuple[str, int]]
KEPT = 14 * 24 * 3600
PARTS = ("registry", "git")
# Folders that cargo does not change after it has created them.
FIXED = ("registry/src/", "git/checkouts/")
DATABASES = "git/db/"


def publish_crates(policy: WarmPolicy, project: str, paths: Iterable[str], copy: Copy) -> int:
    """Publish the files at ``paths``, relative to CARGO_HOME, with ``copy(path, place, room)``. Return the size of all
    crates in bytes. Raises WarmError and OSError."""
    home = policy.home(project)
    units: dict[str, list[str]] = {}
    for path in paths:
        units.setdefault(_unit(path), []).append(path)
    for folder in (os.path.dirname(home), home):
        with suppress(FileExistsError):
            os.mkdir(folder, 0o755)  # only these folders: a retire can have removed their parent
    shutil.rmtree(_new(home), ignore_errors=True)
    listed = _listed(home)
    try:
        _remove(home, {_unit(path) for path, _why in damages(home, listed)}, listed)
        room = policy.max_bytes - _size(home)
        for unit, files in sorted(units.items()):
            if unit.startswith(FIXED) and os.path.lexists(f"{home}/{unit}"):
                continue
            new = {}
            for path in files:
                new[path], count = copy(path, f"{_new(home)}/{path}", room)
                room -= count
            _remove(home, {unit}, listed)
            os.makedirs(os.path.dirname(f"{home}/{unit}"), 0o755, exist_ok=True)
            os.rename(f"{_new(home)}/{unit}", f"{home}/{unit}")
            listed.update(new)
    finally:
        write_manifest(f"{home}.manifest", listed)
        shutil.rmtree(_new(home), ignore_errors=True)
    return _size(home)


def downloaded(account: Account) -> list[str]:
    """The files in the CARGO_HOME of the service account; none if it has no crates."""
    found = [path[len("cargo/") :] for part in PARTS for path in account.files(f"cargo/{part}")]
    return found if any(path.startswith(("registry/cache/", DATABASES)) for path in found) else []


def collect_crates(policy: WarmPolicy) -> None:
    """Remove the crates of removed projects, and crates that no seed needed for ``KEPT`` seconds."""
    top = os.path.dirname(policy.home(""))
    wanted = {project.name for project in policy.projects}
    for name in os.listdir(top) if os.path.isdir(top) else ():
        if name.partition(".")[0] not in wanted:
            path = f"{top}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        elif os.path.isdir(f"{top}/{name}"):
            seeds = [seed.name for seed in read_seeds(policy.seeds) if seed.project == name]
            _remove_unused(
                f"{top}/{name}", {crate.folder for seed in seeds for crate in locked(f"{policy.seeds}/{seed}")}
            )


def _remove_unused(home: str, needed: set[str]) -> None:
    now, seen, old = int(time.time()), _needed_at(f"{home}.json"), set()
    listed = _listed(home)
    for unit in {_unit(path) for path in listed}:
        crate = _crate(unit)
        if crate in needed or any(len(crate) >= 7 and name.startswith(crate) for name in needed):
            seen[crate] = now
        elif crate and now - seen.setdefault(crate, now) > KEPT:
            old.add(unit)
    if old:
        _remove(home, old, listed)
        write_manifest(f"{home}.manifest", listed)
    gone = {_crate(unit) for unit in old}
    kept = {crate: seconds for crate, seconds in seen.items() if crate not in gone}
    write_whole(f"{home}.json", json.dumps(kept, sort_keys=True).encode())


def _unit(path: str) -> str:
    """The part of a path that is published as one: registry/src/INDEX/CRATE, git/db/NAME, or a file, for example."""
    depth = 4 if path.startswith(FIXED) else 3 if path.startswith(DATABASES) else None
    return "/".join(path.split("/")[:depth])


def _crate(unit: str) -> str:
    """The crate or revision of a unit; empty for units that are never removed."""
    last = unit.rpartition("/")[2]
    if unit.startswith("registry/cache/"):
        return last[: -len(".crate")]
    return last if unit.startswith(FIXED) else ""


def _remove(home: str, units: set[str], listed: dict[str, str]) -> None:
    """Remove units, each at once, and their files from ``listed``."""
    for unit in units:
        path, old = f"{home}/{unit}", f"{_new(home)}-old"
        shutil.rmtree(old, ignore_errors=True)
        if os.path.isdir(path) and not os.path.islink(path):
            os.rename(path, old)
            shutil.rmtree(old)
        elif os.path.lexists(path):
            os.unlink(path)
    for path in [path for path in listed if _unit(path) in units]:
        del listed[path]


def _new(home: str) -> str:
    """The temporary folder for incomplete units."""
    return f"{home}.new"


def _listed(home: str) -> dict[str, str]:
    """The manifest; empty if it can't be read, so all files count as damaged."""
    try:
        return read_manifest(f"{home}.manifest")
    except (OSError, ValueError):
        return {}


def _needed_at(path: str) -> dict[str, int]:
    """When each crate was needed; empty if this can't be read, so each crate counts as needed now."""
    try:
        with open(path, encoding="utf-8") as file:
            return {str(name): int(seconds) for name, seconds in json.load(file).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _size(folder: str) -> int:
    return sum(os.lstat(f"{top}/{name}").st_size for top, _folders, names in os.walk(folder) for name in names)
