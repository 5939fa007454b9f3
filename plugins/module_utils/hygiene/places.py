# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Find the configured workspaces. A pattern is expanded separately in each place, because the owner of a place can
create very many names there, or mount a file system that does not answer. This affects only its own place.
"""

from __future__ import annotations

import fnmatch
import itertools
import os
import posixpath
import pwd
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Optional

from ..host.child import answer, each
from ..host.members import group_members
from ..host.mounts import read_mounts
from ..host.space import Space, space_at
from .folders import WILDCARD, MissingError, SkipError, mount_of, opened_path
from .policy import Workspaces

EXPAND_SECONDS = 60.0  # for root's folders in a pattern
LOOK_SECONDS = 5.0  # for a place
ALL_SECONDS = 600.0  # for all places of a pattern
MOST_NAMES = 100_000  # entries that are read of a place
MOST_WORKSPACES = 1000  # of a place


class Place(NamedTuple):
    """The first folder on a pattern's path in which accounts other than root choose the names, and the remaining parts
    of the pattern."""

    path: str
    rest: Sequence[str]
    users: Sequence[str]
    named: bool  # without wildcards, so that it is reported if it is missing
    uid: Optional[int] = None  # nothing is done there if another account owns it


class Look(NamedTuple):
    """The content of a place."""

    place: Place
    uid: int
    workspaces: Sequence[str]
    disks: Sequence[tuple[int, str, Space]]  # device, and where it is mounted
    problems: Sequence[tuple[str, str]]  # path, and why it is left out


def look(workspaces: Workspaces, group: str) -> list[Look]:
    """The places of a pattern. Raises ChildError if root's own folders can't be read."""
    found = answer(lambda: list(_places(workspaces, group)), seconds=EXPAND_SECONDS)
    return look_at([Place(*one) for one in found])


def look_at(places: Sequence[Place]) -> list[Look]:
    """Look at each place separately. If one does not answer, this is its problem."""

    def failed(place: Place, why: str) -> Look:
        return Look(place, 0, (), (), [(place.path, f"the look at it {why}")])

    looks = []
    for found in each(places, _look_at, failed, silence=LOOK_SECONDS, total=ALL_SECONDS):
        place, uid, workspaces, disks, problems = found  # lists, because the child answers JSON
        spaces = [(device, path, Space(*space)) for device, path, space in disks]
        looks.append(Look(Place(*place), uid, workspaces, spaces, problems))
    return looks


def _places(workspaces: Workspaces, group: str) -> Iterator[Place]:
    parts = [part for part in workspaces.path.split("/") if part]
    if parts[0] == "~":
        for user in workspaces.users or sorted(group_members(group) or []):
            with suppress(KeyError):  # an account that other hosts have
                yield Place(pwd.getpwnam(user).pw_dir, parts[1:], workspaces.users, False)
        return
    named = not WILDCARD.search(workspaces.path)
    for path, rest in _below_root("/", parts):
        yield Place(path, rest, workspaces.users, named)


def _below_root(path: str, parts: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Expand the parts in folders in which only root chooses the names."""
    # A file system that an account mounted may not answer, so only the look at its own place waits for it.
    if not parts or any(one.by_account and one.point == path for one in read_mounts()):
        yield path, parts
        return
    try:
        with opened_path(path) as folder:
            found = os.fstat(folder)
            wild = WILDCARD.search(parts[0])
            if found.st_uid != 0 or (wild and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
                raise SkipError("other accounts choose its names")
            names = sorted(matching(folder, parts[0], itertools.count())) if wild else [parts[0]]
    except SkipError:
        yield path, parts
        return
    for name in names:
        yield from _below_root(posixpath.join(path, name), parts[1:])


def matching(folder: int, pattern: str, read: Iterator[int]) -> Iterator[str]:
    """The names in an open folder that match a shell pattern: wildcards skip names with a leading dot. ``read`` counts
    the entries, and its end is the end of the search."""
    fits = re.compile(fnmatch.translate(pattern)).match
    with os.scandir(folder) as entries:
        for entry, _number in zip(entries, read):
            if fits(entry.name) and (not entry.name.startswith(".") or pattern.startswith(".")):
                yield entry.name


def _look_at(place: Place) -> Look:
    """In a child."""
    workspaces: list[str] = []
    disks: dict[int, tuple[int, str, Space]] = {}
    problems: list[tuple[str, str]] = []
    read = iter(range(MOST_NAMES))
    uid = 0
    with suppress(SkipError), opened_path(place.path) as base:
        uid = os.fstat(base).st_uid
    for path in itertools.islice(_expand(place.path, place.rest, read), MOST_WORKSPACES + 1):
        try:
            with opened_path(path) as folder:
                device = os.fstat(folder).st_dev
                if device not in disks:
                    disks[device] = device, mount_of(folder), space_at(folder)
        except SkipError as error:
            if place.named or not isinstance(error, MissingError):
                problems.append((path, str(error)))
        else:
            workspaces.append(path)
    if len(workspaces) > MOST_WORKSPACES or next(read, None) is None:
        why = f"it has more than {MOST_WORKSPACES:,} workspaces or {MOST_NAMES:,} names: the rest is left out"
        problems.append((place.path, why))
    return Look(place, uid, sorted(workspaces[:MOST_WORKSPACES]), list(disks.values()), problems)


def _expand(path: str, parts: Sequence[str], read: Iterator[int]) -> Iterator[str]:
    """The paths that match ``parts`` below ``path``. A path without wildcards is returned even if it does not exist."""
    if not parts:
        yield path
        return
    names = [parts[0]]
    if WILDCARD.search(parts[0]):
        try:
            with opened_path(path) as folder:
                names = sorted(matching(folder, parts[0], read))
        except SkipError:
            return
    for name in names:
        yield from _expand(posixpath.join(path, name), parts[1:], read)
