# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Remove target folders of the configured workspaces: those that are too large, and, if a file system has too little
free space, the least recently used ones.

A child with the rights of the folder's owner measures and empties each folder. The owner can't stop this child. All
folders of one owner together have OWNER_SECONDS, so no owner can use up the time of the others.
"""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Callable

from ..host.child import ChildError, answers
from ..host.members import group_members
from ..host.processes import owners
from ..host.space import Space
from .child_work import State, Survey, clean_again
from .places import Look, Place, look, look_at
from .policy import HygienePolicy
from .space import TURNS, Candidate, Disk, is_gone, removal_order
from .swept import Folder, Swept
from .targets import account_name

OWNER_SECONDS = 600.0


@dataclass
class Sweep:
    """One sweep. ``known`` has the folders by path, as the last sweep left them."""

    policy: HygienePolicy
    dry_run: bool = False
    known: Mapping[str, Swept] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)  # by mount point
    kept: dict[str, Swept] = field(default_factory=dict)  # by path
    looks: list[Look] = field(default_factory=list)
    failures: list[Swept] = field(default_factory=list)  # patterns that could not be looked at
    seen: set[tuple[int, int]] = field(default_factory=set)
    _disk_of: dict[int, Disk] = field(default_factory=dict)  # by device; each subvolume of btrfs has its own
    _spent: dict[int, float] = field(default_factory=dict)  # seconds, by uid

    def __post_init__(self) -> None:
        for workspaces in self.policy.workspaces:
            try:
                self.looks += look(workspaces, self.policy.group)
            except ChildError as error:
                self.failures.append(Swept(workspaces.path, reason=f"the search in root's folders {error}"))
        self.looks += look_at(self._left_behind())
        for found in self.looks:
            for device, path, space in found.disks:
                if self.policy.free_min and self.policy.free_goal:
                    new = Disk(path, space, self.policy.free_min, self.policy.free_goal)
                    self._disk_of[device] = self.disks.setdefault(path, new)

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

    def by_free_space(self, surveyed: bool) -> Iterator[Swept]:
        """Clean folders on each file system with too little free space until it has enough. ``surveyed``: survey was
        called before."""
        short = [disk for disk in self.disks.values() if disk.is_short()]
        if short and not surveyed:
            for swept in self.survey(None, short):
                if swept.outcome != "kept":
                    yield swept
        for disk in short:
            # Again, because of the survey, and because file systems can share their space, as those of ZFS do.
            for found in look_at([Place(disk.path, (), (), False)]):
                for _device, _path, space in found.disks:
                    disk.now = space
            for one, _folder in self._kept_on(disk):
                if one.outcome == "over":  # a dry run frees nothing
                    disk.now = disk.now.with_freed(one.on_disk, one.entries)
            if disk.is_short():
                yield from self._free(disk)

    def _kept_on(self, disk: Disk) -> list[tuple[Swept, Folder]]:
        found = ((one, one.folder) for one in self.kept.values() if one.folder)
        return [(one, folder) for one, folder in found if self._disk_of.get(folder.device) is disk]

    def _free(self, disk: Disk) -> Iterator[Swept]:
        start = disk.now
        at_work, agents = {uid for _pid, uid in owners()}, set(group_members(self.policy.group) or [])
        now = time.time()
        named = {user for one in self.policy.workspaces for user in one.users}
        folders = [(one, folder) for one, folder in self._kept_on(disk) if one.on_disk and one.outcome != "over"]
        candidates = [
            Candidate(
                number, folder.uid, one.used, one.on_disk, one.entries,
                is_gone(one.used, now, known=one.owner in named or one.owner in agents, at_work=folder.uid in at_work),
            )
            for number, (one, folder) in enumerate(folders)
        ]  # fmt: skip
        freed_bytes = freed_entries = 0
        for candidate, turn in removal_order(candidates, start):
            if disk.is_served():
                return
            begun, folder = folders[candidate.key]
            work = partial(clean_again, begun, folder, self.dry_run)
            for swept, space in self._in_child(folder.uid, begun.path, work):
                if swept.outcome in ("cleaned", "over"):
                    swept.reason = TURNS[turn]
                    # Some file systems show freed space only later.
                    freed_bytes += candidate.size
                    freed_entries += candidate.entries
                expected = start.with_freed(freed_bytes, freed_entries)
                disk.now = Space(*map(max, space or start, expected))
                if self.dry_run or swept.outcome == "cleaned":
                    self.kept[swept.path] = swept
                yield swept

    def survey(self, limit: int | None, disks: Collection[Disk] | None = None) -> Iterator[Swept]:
        """All target folders, or those on ``disks``. With a ``limit`` in bytes they are measured, and cleaned if they
        are that large. Yields one result for each folder, as soon as it is known. A folder that several patterns match
        is swept once."""
        yield from self.failures
        for found in self.looks:
            yield from (Swept(path, reason=why) for path, why in found.problems)
            devices = [device for device, _path, _space in found.disks]
            here = [device for device in devices if disks is None or self._disk_of.get(device) in disks]
            if not found.workspaces or not here:
                continue
            survey = Survey(limit, here, self.known, self.seen, self.dry_run)
            for swept, _space in self._in_child(found.uid, found.place.path, partial(survey.folders, found)):
                if swept.folder:
                    self.seen.add((swept.folder.device, swept.folder.inode))
                if swept.size is not None:
                    self.kept[swept.path] = swept
                yield swept

    def _in_child(
        self, uid: int, path: str, work: Callable[[], Iterator[State]]
    ) -> Iterator[tuple[Swept, Space | None]]:
        """The result for each folder of an owner. If the child is killed, the folder that it had begun has failed."""
        left = OWNER_SECONDS - self._spent.get(uid, 0)
        owner = account_name(uid)
        if left <= 0:
            why = f"all folders of {owner} took more than {OWNER_SECONDS:g} s in this sweep"
            yield Swept(path, owner=owner, reason=why), None
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
