# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Find cargo's target folders below a workspace: `target`, `fuzz/target`, and the folders of CARGO_TARGET_DIR and
build-dir.

The agents' configuration and environment are not read. cargo writes a CACHEDIR.TAG into each folder that it creates,
and this module searches for the tag. All work is done with the rights of the workspace's owner.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..host.processes import programs
from .folders import FOLDER, SkipError, inside, open_below

TAG = "CACHEDIR.TAG"
TAG_BEGINS = b"Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by cargo.\n"
DEFAULT = "target"  # needs no tag if there is a Cargo.toml beside it, because it can be older than the first build
DEEPEST_TARGET = 4  # folders below the workspace, as in nova/crates/parser/fuzz/target
MOST_FOLDERS = 20_000  # searched in one workspace
MOST_ENTRIES = 500_000
MOST_TARGETS = 200  # in one workspace
USED_DEPTH = 3  # such as target/TRIPLE/debug/deps
USED_ENTRIES = 50_000


@dataclass(frozen=True)
class Target:
    """A target folder, by its names below the workspace. Without names it is the workspace itself. ``tagged``: it was
    found by cargo's tag."""

    names: tuple[str, ...]
    tagged: bool


def find_targets(workspace: int) -> Iterator[Target]:
    """The candidates for target folders, those of the highest levels first. Raises SkipError if there are too many."""
    waiting: deque[tuple[str, ...]] = deque([()])
    read = iter(range(MOST_ENTRIES))
    device = os.fstat(workspace).st_dev
    searched = found = 0
    while waiting:
        names = waiting.popleft()
        searched += 1
        if searched > MOST_FOLDERS or found > MOST_TARGETS:
            raise SkipError(
                f"it has more than {MOST_TARGETS:,} target folders"
                if found > MOST_TARGETS
                else f"it has more than {MOST_FOLDERS:,} folders; the others were not searched for target folders"
            )
        try:
            folder = open_below(workspace, names)
        except OSError:
            continue  # removed, replaced by a link, or not readable for its owner
        try:
            if names and os.fstat(folder).st_dev != device:
                continue
            folders, files = _listed(folder, read)
            if TAG in files and is_tagged(folder):
                found += 1
                yield Target(names, tagged=True)
                continue
            beside = "Cargo.toml" in files and DEFAULT in folders
            if (beside or (not names and DEFAULT in {*files, *folders})) and not _is_tagged_below(folder, DEFAULT):
                found += 1
                yield Target((*names, DEFAULT), tagged=False)
                folders = [name for name in folders if name != DEFAULT]
            if len(names) < DEEPEST_TARGET:
                waiting.extend((*names, name) for name in folders if name != ".git")
        finally:
            os.close(folder)
        if next(read, None) is None:
            raise SkipError(
                f"it has more than {MOST_ENTRIES:,} entries; the others were not searched for target folders"
            )


def _listed(folder: int, read: Iterator[int]) -> tuple[list[str], set[str]]:
    folders, files = [], set()
    with os.scandir(folder) as entries:
        for entry, _number in zip(entries, read):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                files.add(entry.name)
    return sorted(folders), files


def _is_tagged_below(folder: int, name: str) -> bool:
    with suppress(OSError), inside(folder, name) as inner:
        return is_tagged(inner)
    return False


def is_tagged(folder: int) -> bool:
    """Whether cargo created the open folder for a build. Its registry also has tags, but no files of a build."""
    try:
        tag = os.open(TAG, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            found, itself = os.fstat(tag), os.fstat(folder)
            ours = stat.S_ISREG(found.st_mode) and found.st_uid == itself.st_uid
            if not ours or os.read(tag, len(TAG_BEGINS)) != TAG_BEGINS:
                return False
        finally:
            os.close(tag)
        return not exists(folder, "Cargo.toml") and not exists(folder, ".git") and _is_for_builds(folder, 2)
    except OSError:
        return False


def _is_for_builds(folder: int, depth: int) -> bool:
    if exists(folder, ".rustc_info.json") or exists(folder, ".cargo-lock"):
        return True
    if not depth:
        return False
    for name in _listed(folder, iter(range(1000)))[0]:
        with suppress(OSError), inside(folder, name) as inner:
            if _is_for_builds(inner, depth - 1):
                return True
    return False


def exists(folder: int, name: str) -> bool:
    """Whether an open folder has the entry ``name``, also a broken link."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def owner_of(workspace: int, users: Sequence[str]) -> tuple[int, str]:
    """Uid and name of the workspace's owner, whose rights are used. Raises SkipError if the policy excludes it."""
    place = os.fstat(workspace)
    name = account_name(place.st_uid)
    if place.st_mode & stat.S_IWOTH:
        raise SkipError("all accounts may write in its workspace: chmod o-w")
    if users and name not in users:
        raise SkipError(f"it belongs to {name}, but only folders of {', '.join(users)} are swept")
    if place.st_uid == 0 and not users:
        raise SkipError("it belongs to root: add root to the users of the workspace")
    return place.st_uid, name


def account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def open_target(parent: int, name: str, tagged: bool, uid: int) -> int:
    """A target folder of ``uid``, by its name in an open folder. Raises FileNotFoundError and SkipError."""
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        raise SkipError("it is a symbolic link")
    owners = {uid, found.st_uid, os.fstat(parent).st_uid}
    if not tagged:
        try:
            manifest = os.stat("Cargo.toml", dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError as error:
            raise SkipError("it has no Cargo.toml beside it, and no tag of cargo in it") from error
        if not stat.S_ISREG(manifest.st_mode):
            raise SkipError("the Cargo.toml beside it is not a regular file")
        owners.add(manifest.st_uid)
    if not stat.S_ISDIR(found.st_mode):
        raise SkipError("it is not a folder")
    if len(owners) > 1:
        raise SkipError("it, its workspace and Cargo.toml belong to different accounts")
    if tagged and found.st_mode & stat.S_IWOTH:
        raise SkipError("all accounts may write in it, also cargo's tag: chmod o-w")
    return os.open(name, FOLDER, dir_fd=parent)


def last_used(target: int) -> float:
    """The newest change time (ctime) of a target folder and its subfolders. Only the kernel sets it: an agent can make
    it the current time, but no other time."""
    return _last_used(target, 0, iter(range(USED_ENTRIES)))


def _last_used(folder: int, depth: int, read: Iterator[int]) -> float:
    newest = os.fstat(folder).st_ctime
    for name in _listed(folder, read)[0]:
        with suppress(OSError):
            newest = max(newest, os.stat(name, dir_fd=folder, follow_symlinks=False).st_ctime)
            if depth + 1 == USED_DEPTH:
                continue
            with inside(folder, name) as inner:
                newest = max(newest, _last_used(inner, depth + 1, read))
    return newest


def running_in(target: int) -> int:
    """The pid of a process whose program is in the folder, such as a test of the last build; 0 if there is none."""
    place = os.readlink(f"/proc/self/fd/{target}") + "/"
    return next((pid for pid, path in programs() if path.startswith(place)), 0)
