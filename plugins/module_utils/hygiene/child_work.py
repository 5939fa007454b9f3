# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The work of the sweep in a child process: measure and empty the target folders of one owner, with its rights only.

Each generator yields a State for each folder. The parent (sweep.py) kills a child that takes too long.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ..host.child import Rights, acting_as
from ..host.mounts import read_mounts
from ..host.space import Space, space_at
from ..text import LONGEST_PATH, MOST, safe_text
from .clean import builds_wait, empty_folder, remove_target
from .folders import MissingError, SkipError, inside, mounted_below, opened_path
from .measure import Measure, measure
from .places import Look, Place
from .swept import Folder, Swept
from .targets import TAG, Target, exists, find_targets, last_used, open_target, owner_of, running_in

MOST_TARGETS = 200  # in one place
#: A Swept as JSON, whether this is its last state, and the free space afterwards if it is known.
State = tuple[dict[str, Any], bool, Optional[Space]]


@dataclass(frozen=True)
class Survey:
    """Find the target folders of places, measure them, and clean those that are too large."""

    limit: int | None  #: Folders of this many bytes or more are cleaned. None: none, and known sizes are not measured.
    devices: Collection[int]  #: Workspaces on other devices are left out.
    known: Mapping[str, Swept]  #: The folders by path, as the last sweep left them.
    seen: set[tuple[int, int]]  #: Device and inode of folders that are done.
    dry_run: bool

    def folders(self, found: Look) -> Iterator[State]:
        others = targets = 0
        for path in found.workspaces:
            for swept, whole in self._workspace(path, found.place):
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

    def _workspace(self, path: str, place: Place) -> Iterator[tuple[Swept, bool]]:
        """Each folder, and whether this is its last state."""
        swept = Swept(path)
        try:
            with opened_path(path) as workspace:
                if os.fstat(workspace).st_dev not in self.devices:
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
                with acting_as(Rights.of(uid)):
                    for target in find_targets(workspace):
                        yield from self._target(workspace, path, target, uid, owner)
            return
        except (MissingError, FileNotFoundError):
            return
        except (SkipError, OSError) as error:
            swept.reason = _why(error)
        yield swept, True

    def _target(self, workspace: int, path: str, target: Target, uid: int, owner: str) -> Iterator[tuple[Swept, bool]]:
        swept = Swept(posixpath.join(path, *target.names), owner=owner)
        try:
            with _opened(workspace, target.names, target.tagged, uid) as opened:
                itself = os.fstat(opened.target)
                if (itself.st_dev, itself.st_ino) in self.seen:
                    return
                self.seen.add((itself.st_dev, itself.st_ino))
                swept.folder = Folder(path, target.names, target.tagged, itself.st_dev, itself.st_ino, uid)
                swept.used = last_used(opened.target)
                known = self.known.get(swept.path)
                # Without on_disk it was emptied, and a build can have filled it again.
                if self.limit is None and known and known.on_disk and known.folder == swept.folder:
                    swept.size, swept.on_disk, swept.entries = known.size, known.on_disk, known.entries
                    swept.outcome = "kept"
                else:
                    measured = _measure(swept, opened)
                    yield swept, False
                    if self.limit is None or measured.size < self.limit:
                        swept.outcome = "kept"
                    else:
                        opened.clean(swept, measured, self.dry_run)
        except FileNotFoundError:
            return
        except (SkipError, OSError) as error:
            swept.reason = _why(error)
        yield swept, True


def clean_again(swept: Swept, folder: Folder, dry_run: bool) -> Iterator[State]:
    """Clean a folder that was surveyed."""
    space = None
    swept.outcome, swept.size = "skipped", None
    try:
        with opened_path(folder.workspace) as workspace:
            if os.fstat(workspace).st_uid != folder.uid:
                raise SkipError("its workspace belongs to another account now")
            rights = Rights.of(folder.uid)
            with acting_as(rights), _opened(workspace, folder.names, folder.tagged, folder.uid) as opened:
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

    def clean(self, swept: Swept, measured: Measure, dry_run: bool) -> None:
        with builds_wait(self.target, measured.locks):
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


@contextmanager
def _opened(workspace: int, names: tuple[str, ...], tagged: bool, uid: int) -> Iterator[_Opened]:
    if not names:
        yield _Opened(workspace, workspace, workspace, "")
        return
    with inside(workspace, *names[:-1]) as parent:
        target = open_target(parent, names[-1], tagged, uid)
        try:
            yield _Opened(workspace, parent, target, names[-1])
        finally:
            os.close(target)


def _refuse_mounts(target: int) -> None:
    path = os.readlink(f"/proc/self/fd/{target}")
    mounted = mounted_below(path, read_mounts())
    if mounted:
        raise SkipError(f"{safe_text(mounted[0], LONGEST_PATH)} is a mount point")
