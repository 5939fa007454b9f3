# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Where the configured workspaces are. Patterns are expanded in places: what an account puts below its own place, such
as names without number or a file system that does not answer, ends the look at that place and at no other.
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
from dataclasses import dataclass, field
from typing import Any

from ..host.child import answer, each
from ..host.members import group_members
from ..host.mounts import read_mounts
from ..host.space import Space, space_at
from .folders import WILDCARD, MissingError, RefusedError, mount_of, open_folder
from .policy import Workspaces

EXPAND_SECONDS = 60.0  # for the folders of root's in a pattern
LOOK_SECONDS = 5.0  # for a place
ALL_SECONDS = 600.0  # for all places of a pattern
MOST_NAMES = 100_000  # entries that are read of a place
MOST_WORKSPACES = 1000  # of a place


@dataclass(frozen=True)
class Place:
    """A folder at which a pattern leaves those of root's, with what of the pattern is below it."""

    path: str
    rest: tuple[str, ...]
    users: tuple[str, ...]
    named: bool  # without wildcards, so that it is told if it is missing
    uid: int | None = None  # nothing is done there if another account owns it


@dataclass(frozen=True)
class Look:
    """What is in a place now."""

    place: Place
    uid: int = 0
    workspaces: tuple[str, ...] = ()
    disks: dict[int, tuple[str, Space]] = field(default_factory=dict)  # by device: where it is mounted
    problems: tuple[tuple[str, str], ...] = ()  # path, and why it is left out


def look(workspaces: Workspaces, group: str) -> list[Look]:
    """The places of a pattern. Raises ChildError if root's own folders can't be read."""
    found = answer(lambda: list(_places(workspaces, group)), seconds=EXPAND_SECONDS)
    return look_at([Place(path, tuple(rest), tuple(users), named) for path, rest, users, named in found])


def look_at(places: Sequence[Place]) -> list[Look]:
    """Each place by itself: one that does not answer is a problem of its own."""

    def failed(place: Place, why: str) -> dict[str, Any]:
        return {"problems": [[place.path, f"the look at it {why}"]]}

    found = each(places, _look_at, failed, silence=LOOK_SECONDS, total=ALL_SECONDS)
    return [_decoded(place, one) for place, one in zip(places, found)]


def _decoded(place: Place, found: dict[str, Any]) -> Look:
    return Look(
        place,
        found.get("uid", 0),
        tuple(found.get("workspaces", ())),
        {int(device): (path, Space(*space)) for device, (path, space) in found.get("disks", {}).items()},
        tuple((path, why) for path, why in found["problems"]),
    )


def _places(workspaces: Workspaces, group: str) -> Iterator[tuple[Any, ...]]:
    """The arguments of each Place."""
    parts = tuple(part for part in workspaces.path.split("/") if part)
    if parts[0] == "~":
        for user in workspaces.users or sorted(group_members(group) or []):
            with suppress(KeyError):  # an account that other hosts have
                yield pwd.getpwnam(user).pw_dir, parts[1:], workspaces.users, False
        return
    named = not WILDCARD.search(workspaces.path)
    for path, rest in _below_root("/", parts):
        yield path, rest, workspaces.users, named


def _below_root(path: str, parts: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Through folders of root's, in which root alone decides about the names that a wildcard finds."""
    # Only a place's own look waits for a file system that an account mounted.
    if not parts or any(one.by_account and one.point == path for one in read_mounts()):
        yield path, parts
        return
    try:
        folder = open_folder(path)
    except (MissingError, RefusedError):
        yield path, parts
        return
    try:
        found = os.fstat(folder)
        wild = WILDCARD.search(parts[0])
        if found.st_uid != 0 or (wild and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            yield path, parts
            return
        names = sorted(matching(folder, parts[0], itertools.count())) if wild else [parts[0]]
    finally:
        os.close(folder)
    for name in names:
        yield from _below_root(posixpath.join(path, name), parts[1:])


def matching(folder: int, pattern: str, read: Iterator[int]) -> Iterator[str]:
    """The names in an open folder that fit a pattern as a shell has it: wildcards skip names with a leading dot.
    ``read`` counts the entries, and ends the look when it is through."""
    fits = re.compile(fnmatch.translate(pattern)).match
    with os.scandir(folder) as entries:
        for entry, _number in zip(entries, read):
            if fits(entry.name) and (not entry.name.startswith(".") or pattern.startswith(".")):
                yield entry.name


def _look_at(place: Place) -> dict[str, Any]:
    """In a child."""
    workspaces: list[str] = []
    disks: dict[int, tuple[str, Space]] = {}
    problems: list[tuple[str, str]] = []
    read = iter(range(MOST_NAMES))
    uid = 0
    with suppress(MissingError, RefusedError):
        base = open_folder(place.path)
        uid = os.fstat(base).st_uid
        os.close(base)
    for path in itertools.islice(_expand(place.path, place.rest, read), MOST_WORKSPACES + 1):
        try:
            folder = open_folder(path)
        except MissingError as error:
            if place.named:
                problems.append((path, str(error)))
            continue
        except RefusedError as error:
            problems.append((path, str(error)))
            continue
        device = os.fstat(folder).st_dev
        if device not in disks:
            disks[device] = mount_of(folder), space_at(folder)
        os.close(folder)
        workspaces.append(path)
    if len(workspaces) > MOST_WORKSPACES or next(read, None) is None:
        problems.append(
            (
                place.path,
                f"it has more than {MOST_WORKSPACES:,} workspaces or {MOST_NAMES:,} names: the rest is left out",
            )
        )
    return {"uid": uid, "workspaces": sorted(workspaces[:MOST_WORKSPACES]), "disks": disks, "problems": problems}


def _expand(path: str, parts: tuple[str, ...], read: Iterator[int]) -> Iterator[str]:
    """The paths that ``parts`` stand for below ``path``; one without wildcards is given whether it exists or not."""
    if not parts:
        yield path
        return
    names = [parts[0]]
    if WILDCARD.search(parts[0]):
        try:
            folder = open_folder(path)
        except (MissingError, RefusedError):
            return
        try:
            names = sorted(matching(folder, parts[0], read))
        finally:
            os.close(folder)
    for name in names:
        yield from _expand(posixpath.join(path, name), parts[1:], read)
