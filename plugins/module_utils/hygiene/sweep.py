# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Remove target folders of the configured workspaces: those that are too large, and, if a file system has too little
free space, the least recently used ones.

A child with the rights of the folder's owner measures and empties each folder. The owner can't stop this child. All
folders of one owner together have OWNER_SECONDS, so no owner can use up the time of the others.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Optional

from ..host.child import ChildError, Rights, acting_as, answers
from ..host.members import group_members
from ..host.mounts import read_mounts
from ..host.processes import owners
from ..host.space import Space, space_at
from ..sizes import readable_size
from ..text import LONGEST_PATH, MOST, safe_text
from .clean import empty_folder, hold_locks, release, remove_target
from .folders import MissingError, SkipError, mounted_below, open_below, open_folder
from .measure import Measure, measure
from .places import Look, Place, look, look_at
from .policy import HygienePolicy
from .space import TURNS, Candidate, Disk, is_gone, removal_order
from .targets import (
    TAG,
    Target,
    account_name,
    exists,
    find_targets,
    last_used,
    open_target,
    owner_of,
    running_in,
)

OWNER_SECONDS = 600.0
MOST_TARGETS = 200  # in one place


@dataclass(frozen=True)
class Folder:
    """The place and the identity of a target folder."""

    workspace: str
    names: tuple[str, ...]
    tagged: bool
    device: int
    inode: int
    uid: int


@dataclass
class Swept:
    """One folder. ``outcome`` is ``kept``, ``cleaned``, ``over`` (a dry run would clean it), ``skipped`` or ``failed``.
    ``size`` is its measured size, None if it was not measured; ``freed`` is the removed part of it. Both are bytes."""

    path: str
    outcome: str = "skipped"
    owner: str = ""  # empty if it is not known
    size: Optional[int] = None
    freed: int = 0
    reason: str = ""
    on_disk: int = 0  # bytes on the disk
    entries: int = 0
    used: float = 0.0  # time of its last use, in seconds since the epoch
    folder: Optional[Folder] = None

    @classmethod
    def decode(cls, found: Mapping[str, Any]) -> Swept:
        """From the answer of a child."""
        folder = found["folder"]
        where = Folder(**{**folder, "names": tuple(folder["names"])}) if folder else None
        return cls(**{**found, "folder": where})

    def line(self, limit: int) -> str:
        """``limit`` is 0 in a sweep for free space."""
        freed = f"freed {readable_size(self.freed)} ({self.freed} bytes)"
        why = f" ({self.reason})" if self.reason else ""
        result = {
            "kept": "kept",
            "cleaned": f"cleaned{why}, {freed}",
            "over": f"would be cleaned{why}",
            "skipped": f"skipped: {self.reason}",
            "failed": f"failed, {freed}: {self.reason}",
        }[self.outcome]
        of_limit = f" of {readable_size(limit)}" if limit else ""
        size = "" if self.size is None else f"{readable_size(self.size)}{of_limit}; "
        return f"{safe_text(self.path, LONGEST_PATH)}: {size}{result}"


@dataclass
class Sweep:
    """One sweep. ``known`` has the folders by path, as the last sweep left them."""

    policy: HygienePolicy
    dry_run: bool = False
    known: Mapping[str, Swept] = field(default_factory=dict)
    disks: dict[int, Disk] = field(default_factory=dict)  # by device, at the start
    spaces: dict[int, Space] = field(default_factory=dict)  # by device, now
    kept: dict[str, Swept] = field(default_factory=dict)  # by path
    looks: list[Look] = field(default_factory=list)
    failures: list[Swept] = field(default_factory=list)  # patterns that could not be looked at
    seen: set[tuple[int, int]] = field(default_factory=set)
    _disk_of: dict[int, int] = field(default_factory=dict)  # the key in `disks` of a folder's device
    _spent: dict[int, float] = field(default_factory=dict)  # seconds, by uid

    def __post_init__(self) -> None:
        for workspaces in self.policy.workspaces:
            try:
                self.looks += look(workspaces, self.policy.group)
            except ChildError as error:
                self.failures.append(Swept(workspaces.path, reason=f"the search in root's folders {error}"))
        self.looks += look_at(self._left_behind())
        for found in self.looks:
            for device, (path, space) in found.disks.items():
                if not self.policy.free_min or not self.policy.free_goal:
                    continue
                # Each subvolume of btrfs has a device number of its own.
                first = next((known for known, disk in self.disks.items() if disk.path == path), device)
                self._disk_of[device] = first
                if first not in self.disks:
                    self.disks[first] = Disk(path, space, self.policy.free_min, self.policy.free_goal)
                    self.spaces[first] = space

    def _left_behind(self) -> list[Place]:
        """Workspaces of the last sweep in homes of accounts that are no longer agents."""
        tails = [one.path[1:] for one in self.policy.workspaces if one.path.startswith("~") and not one.users]
        found = {path for one in self.looks for path in one.workspaces}
        left = {
            one.folder.workspace: one.folder.uid
            for one in self.known.values()
            if one.folder and one.folder.workspace not in found
        }
        return [
            Place(path, (), (), False, uid)
            for path, uid in left.items()
            if any(fnmatch.fnmatchcase(path, f"*{tail}") and path.count("/") > tail.count("/") for tail in tails)
        ]

    def by_size(self, limit: int) -> Iterator[Swept]:
        """Clean the folders of ``limit`` bytes or more. Yields one result for each folder, as soon as it is known. A
        folder that several patterns match is swept once."""
        yield from self._survey(limit, None)

    def short(self) -> list[int]:
        """The devices of file systems with too little free space."""
        return [device for device, disk in self.disks.items() if disk.is_short()]

    def by_free_space(self, surveyed: bool) -> Iterator[Swept]:
        """Clean folders on each file system with too little free space until it has enough. ``surveyed``: by_size was
        called before."""
        short = [device for device in self.short() if replace(self.disks[device], space=self.spaces[device]).is_short()]
        if short and not surveyed:
            for swept in self._survey(None, short):
                if swept.outcome != "kept":
                    yield swept
        for device in short:
            if device == short[0] or self._is_still_short(device):
                yield from self._free(device)

    def _is_still_short(self, device: int) -> bool:
        """File systems can share their space, as those of ZFS do."""
        disk = self.disks[device]
        for found in look_at([Place(disk.path, (), (), False)]):
            for _path, space in found.disks.values():
                self.spaces[device] = space
        return replace(disk, space=self.spaces[device]).is_short()

    def _free(self, device: int) -> Iterator[Swept]:
        disk, start = self.disks[device], self.spaces[device]
        at_work, agents = {uid for _pid, uid in owners()}, set(group_members(self.policy.group) or [])
        now = time.time()
        folders = [
            one
            for one in self.kept.values()
            if one.folder and self._disk_of.get(one.folder.device) == device and one.on_disk and one.outcome != "over"
        ]
        candidates = [
            Candidate(
                number, one.folder.uid, one.used, one.on_disk, one.entries,
                is_gone(one.used, now, known=self._is_known(one, agents), at_work=one.folder.uid in at_work),
            )
            for number, one in enumerate(folders)
            if one.folder
        ]  # fmt: skip
        freed_bytes = freed_entries = 0
        for candidate, turn in removal_order(candidates, start):
            if replace(disk, space=self.spaces[device]).is_served():
                return
            for swept, space in self._clean(folders[candidate.key]):
                if swept.outcome in ("cleaned", "over"):
                    swept.reason = TURNS[turn]
                    # Some file systems show freed space only later.
                    freed_bytes += candidate.size
                    freed_entries += candidate.entries
                expected = start.with_freed(freed_bytes, freed_entries)
                self.spaces[device] = Space(*map(max, space or start, expected))
                if self.dry_run or swept.outcome == "cleaned":
                    self.kept[swept.path] = swept
                yield swept

    def _is_known(self, swept: Swept, agents: Collection[str]) -> bool:
        named = {user for one in self.policy.workspaces for user in one.users}
        return swept.owner in named or swept.owner in agents

    def _survey(self, limit: int | None, devices: Collection[int] | None) -> Iterator[Swept]:
        """All target folders, or those on ``devices``. With a ``limit`` they are measured, and cleaned if they are that
        large."""
        yield from self.failures
        for found in self.looks:
            yield from (Swept(path, reason=why) for path, why in found.problems)
            here = [device for device in found.disks if devices is None or self._disk_of.get(device) in devices]
            if not found.workspaces or not here:
                continue
            for swept, _space in self._in_child(
                found.uid, found.place.path, lambda f=found, here=here: _survey(f, self, limit, here)
            ):
                if swept.folder:
                    self.seen.add((swept.folder.device, swept.folder.inode))
                if swept.size is not None:
                    self.kept[swept.path] = swept
                yield swept

    def _clean(self, swept: Swept) -> Iterator[tuple[Swept, Space | None]]:
        folder = swept.folder
        if folder:
            yield from self._in_child(folder.uid, swept.path, lambda: _clean(swept, folder, self.dry_run))

    def _in_child(self, uid: int, path: str, work: Any) -> Iterator[tuple[Swept, Space | None]]:
        """The result for each folder of an owner. ``work`` yields (state, whether it is the last state, space)."""
        left = OWNER_SECONDS - self._spent.get(uid, 0)
        owner = account_name(uid)
        if left <= 0:
            yield (
                Swept(
                    path, owner=owner, reason=f"all folders of {owner} took more than {OWNER_SECONDS:g} s in this sweep"
                ),
                None,
            )
            return
        begun: Swept | None = None
        started = time.monotonic()
        try:
            for state, whole, space in answers(work, total=left):
                swept = Swept.decode(state)
                begun = None if whole else swept
                if whole:
                    yield swept, Space(*space) if space else None
        except ChildError as error:
            failed = begun or Swept(path, owner=owner)
            failed.outcome, failed.reason = "failed", f"it {error}; the next sweep continues"
            yield failed, None
        finally:
            self._spent[uid] = self._spent.get(uid, 0) + time.monotonic() - started


State = tuple[dict[str, Any], bool, Optional[Space]]


def _survey(found: Look, sweep: Sweep, limit: int | None, devices: Collection[int]) -> Iterator[State]:
    """In the child."""
    others = targets = 0
    for path in found.workspaces:
        for swept, whole in _survey_workspace(path, found.place, sweep, limit, devices):
            targets += whole and swept.size is not None
            others += swept.size is None
            if others <= MOST or swept.size is not None:
                yield asdict(swept), whole, None
            if targets > MOST_TARGETS:
                text = f"it has more than {MOST_TARGETS} target folders; the others are skipped"
                yield asdict(Swept(found.place.path, owner=swept.owner, reason=text)), True, None
                return
    if others > MOST:
        yield asdict(Swept(found.place.path, reason=f"{others - MOST:,} more folders in it")), True, None


def _survey_workspace(
    path: str, place: Place, sweep: Sweep, limit: int | None, devices: Collection[int]
) -> Iterator[tuple[Swept, bool]]:
    """Each folder, and whether this is its last state."""
    swept = Swept(path)
    try:
        with ExitStack() as stack:
            workspace = open_folder(path)
            stack.callback(os.close, workspace)
            if os.fstat(workspace).st_dev not in devices:
                return
            try:
                uid, owner = owner_of(workspace, place.users)
            except SkipError as error:
                if exists(workspace, "target"):
                    yield Swept(posixpath.join(path, "target"), reason=str(error)), True
                return
            if place.uid not in (None, uid):
                return
            swept.owner = owner
            stack.enter_context(acting_as(Rights.of(uid)))
            for target in find_targets(workspace):
                yield from _survey_target(workspace, path, target, (uid, owner), sweep, limit)
        return
    except (MissingError, FileNotFoundError):
        return
    except (SkipError, OSError) as error:
        swept.reason = _why(error)
    yield swept, True


def _survey_target(
    workspace: int, path: str, target: Target, account: tuple[int, str], sweep: Sweep, limit: int | None
) -> Iterator[tuple[Swept, bool]]:
    swept = Swept(posixpath.join(path, *target.names), owner=account[1])
    try:
        with ExitStack() as stack:
            opened = _Opened.enter(stack, workspace, target.names, target.tagged, account[0])
            itself = os.fstat(opened.target)
            if (itself.st_dev, itself.st_ino) in sweep.seen:
                return
            sweep.seen.add((itself.st_dev, itself.st_ino))
            swept.folder = Folder(path, target.names, target.tagged, itself.st_dev, itself.st_ino, account[0])
            swept.used = last_used(opened.target)
            known = sweep.known.get(swept.path)
            if limit is None and known and known.folder == swept.folder:
                swept.size, swept.on_disk, swept.entries = known.size, known.on_disk, known.entries
                swept.outcome = "kept"
            else:
                measured = _measure(swept, opened)
                yield swept, False
                if limit is None or measured.size < limit:
                    swept.outcome = "kept"
                else:
                    opened.clean(swept, measured, sweep.dry_run)
    except FileNotFoundError:
        return
    except (SkipError, OSError) as error:
        swept.reason = _why(error)
    yield swept, True


def _clean(swept: Swept, folder: Folder, dry_run: bool) -> Iterator[State]:
    """In the child: a folder that was surveyed."""
    space = None
    swept.outcome, swept.size = "skipped", None
    try:
        with ExitStack() as stack:
            workspace = open_folder(folder.workspace)
            stack.callback(os.close, workspace)
            if os.fstat(workspace).st_uid != folder.uid:
                raise SkipError("its workspace belongs to another account now")
            stack.enter_context(acting_as(Rights.of(folder.uid)))
            opened = _Opened.enter(stack, workspace, folder.names, folder.tagged, folder.uid)
            itself = os.fstat(opened.target)
            if (itself.st_dev, itself.st_ino) != (folder.device, folder.inode):
                raise SkipError("it is another folder now")
            measured = _measure(swept, opened)
            yield asdict(swept), False, None
            opened.clean(swept, measured, dry_run)
            space = space_at(workspace)
    except (MissingError, FileNotFoundError):
        swept.reason = "it does not exist any more"
    except (SkipError, OSError) as error:
        swept.reason = _why(error)
    yield asdict(swept), True, space


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _measure(swept: Swept, opened: _Opened) -> Measure:
    if os.fstat(opened.workspace).st_dev != os.fstat(opened.target).st_dev:
        raise SkipError("it is on another file system than its workspace")
    _refuse_mounts(opened.target)
    measured = measure(opened.target)
    swept.size, swept.on_disk, swept.entries = measured.size, measured.on_disk, measured.entries
    return measured


@dataclass(frozen=True)
class _Opened:
    """A target folder, the folder that it is in, and its workspace."""

    workspace: int
    parent: int
    target: int
    name: str  # in its parent; empty if it is the workspace itself

    @classmethod
    def enter(cls, stack: ExitStack, workspace: int, names: tuple[str, ...], tagged: bool, uid: int) -> _Opened:
        if not names:
            return cls(workspace, workspace, workspace, "")
        parent = open_below(workspace, names[:-1])
        stack.callback(os.close, parent)
        target = open_target(parent, names[-1], tagged, uid)
        stack.callback(os.close, target)
        return cls(workspace, parent, target, names[-1])

    def clean(self, swept: Swept, measured: Measure, dry_run: bool) -> None:
        held = hold_locks(self.target, measured.locks)
        try:
            process = running_in(self.target)
            if process:
                raise SkipError(f"a program in it runs as process {process}")
            if dry_run:
                swept.outcome = "over"
                return
            # cargo writes its tag only into a new folder, so a folder that only the tag identifies is not removed.
            _refuse_mounts(self.target)
            if self.name == "target" and exists(self.parent, "Cargo.toml"):
                swept.reason = remove_target(self.target, self.parent, self.name)
            else:
                swept.reason = empty_folder(self.target, TAG)
            swept.outcome = "failed" if swept.reason else "cleaned"
            swept.freed = self._freed(measured)
            if swept.outcome == "cleaned":
                swept.on_disk = swept.entries = 0
        finally:
            release(held)

    def _freed(self, measured: Measure) -> int:
        """The freed bytes, without a second walk."""
        before = os.fstat(self.target)
        if self.name:
            try:
                now = os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)
            except FileNotFoundError:
                return measured.size
            if (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino):
                return measured.size  # the next build has created a new folder
        left = set(os.listdir(self.target))
        return sum(size for name, size in measured.parts.items() if name not in left)


def _refuse_mounts(target: int) -> None:
    path = os.readlink(f"/proc/self/fd/{target}")
    mounted = mounted_below(path, read_mounts())
    if mounted:
        raise SkipError(f"{safe_text(mounted[0], LONGEST_PATH)} is a mount point")
