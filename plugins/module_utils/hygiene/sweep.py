# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Which target folders of the configured workspaces are too large, and what was done about each.

Each folder is measured and emptied by a child that has the rights of the folder's owner and that the owner can't stop.
Whatever is in the folders of one owner, the others' turn comes: all folders of an owner together have OWNER_SECONDS.
"""

from __future__ import annotations

import os
import posixpath
import pwd
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host.child import (
    ChildError,
    Rights,
    acting_as,
    answer,
    answers,
)
from ansible_collections.nova.agent_host.plugins.module_utils.host.members import group_members
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.clean import (
    BusyError,
    hold_locks,
    release,
    remove_target,
)
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.folders import (
    FOLDER,
    WILDCARD,
    MissingError,
    RefusedError,
    expand,
    mounted_below,
    open_folder,
)
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.measure import (
    Measure,
    UnmeasurableError,
    measure,
)
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import HygienePolicy, Workspaces
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import readable_size
from ansible_collections.nova.agent_host.plugins.module_utils.text import LONGEST_PATH, safe_text

OWNER_SECONDS = 600.0
EXPAND_SECONDS = 60.0


class SkipError(ValueError):
    """A folder that is not swept; the message says why."""


@dataclass
class Swept:
    """One folder. ``outcome`` is ``kept`` (small enough), ``cleaned``, ``over`` (a dry run would clean it), ``skipped``
    or ``failed``. ``size`` is what it was measured with, None where it was not; ``freed`` what of that is gone."""

    path: str
    outcome: str = "skipped"
    owner: str = ""  # empty if it is not known
    size: int | None = None
    freed: int = 0
    reason: str = ""

    def line(self, limit: int) -> str:
        freed = f"freed {readable_size(self.freed)} ({self.freed} bytes)"
        told = {
            "kept": "kept",
            "cleaned": f"cleaned, {freed}",
            "over": "would be cleaned",
            "skipped": f"skipped: {self.reason}",
            "failed": f"failed, {freed}: {self.reason}",
        }[self.outcome]
        size = "" if self.size is None else f"{readable_size(self.size)} of {readable_size(limit)}; "
        return f"{safe_text(self.path, LONGEST_PATH)}: {size}{told}"


@dataclass
class _Turn:
    """What one sweep remembers: the folders that it has seen, and the seconds that each owner's took."""

    seen: set[tuple[int, int]] = field(default_factory=set)
    spent: dict[str, float] = field(default_factory=dict)


def sweep(policy: HygienePolicy, limit: int, dry_run: bool = False) -> Iterator[Swept]:
    """Sweep all workspaces of ``policy``: a target folder of ``limit`` bytes or more is cleaned. One result a folder,
    as soon as it is known; a folder that several patterns name is swept once."""
    turn = _Turn()
    for workspaces in policy.workspaces:
        try:
            paths = answer(lambda of=workspaces: _paths(of, policy.group), seconds=EXPAND_SECONDS)  # type: ignore[misc]
        except ChildError as error:
            yield Swept(workspaces.path, reason=str(error))
            continue
        for path in paths:
            swept = _in_child(path, workspaces, limit, dry_run, turn)
            if swept:
                yield swept


def _paths(workspaces: Workspaces, group: str) -> list[str]:
    if not workspaces.path.startswith("~"):
        return expand(workspaces.path)
    homes = []
    for user in workspaces.users or sorted(group_members(group) or []):
        try:
            homes.append(pwd.getpwnam(user).pw_dir)
        except KeyError:
            continue  # an account that other hosts have
    return [path for home in homes for path in expand(home + workspaces.path[1:])]


def _in_child(path: str, workspaces: Workspaces, limit: int, dry_run: bool, turn: _Turn) -> Swept | None:
    """What became of the workspace at ``path``; None if it has no target folder, or was swept before."""
    swept = Swept(posixpath.join(path, "target"))
    started = time.monotonic()
    try:
        for given in answers(lambda: _sweep_workspace(path, workspaces, limit, dry_run, turn), total=OWNER_SECONDS):
            identity, told = given
            if told is None:
                return None
            swept = Swept(**told)
            turn.seen.add(tuple(identity))
    except ChildError as error:
        swept.outcome, swept.reason = "failed", f"it {error}; the next sweep goes on"
    finally:
        turn.spent[swept.owner] = turn.spent.get(swept.owner, 0) + time.monotonic() - started
    return swept


def _sweep_workspace(
    path: str, workspaces: Workspaces, limit: int, dry_run: bool, turn: _Turn
) -> Iterator[tuple[tuple[int, int], dict[str, Any] | None]]:
    """In the child: the folder's device and inode with what is known of it, first as measured, then as it was left."""
    swept = Swept(posixpath.join(path, "target"))
    identity = (0, 0)
    try:
        workspace = open_folder(path)
        here = os.fstat(workspace)
        identity = (here.st_dev, here.st_ino)
        if identity in turn.seen:
            yield identity, None
            return
        target = _open_target(workspace)
        account = _owner(workspace, target, workspaces.users)
        swept.owner = account.pw_name
        if turn.spent.get(swept.owner, 0) >= OWNER_SECONDS:
            raise SkipError(f"{swept.owner}'s folders took more than {OWNER_SECONDS:g} s of this sweep")
        yield identity, asdict(swept)  # whose seconds these are
        with acting_as(Rights.of(account.pw_uid)):
            for _step in _sweep_target(swept, workspace, target, limit, dry_run):
                yield identity, asdict(swept)
        return
    except MissingError as error:
        named = not WILDCARD.search(workspaces.path) and not workspaces.path.startswith("~")
        swept.reason = str(error)
        yield identity, asdict(swept) if named else None
        return
    except FileNotFoundError:
        yield identity, None
        return
    except (SkipError, RefusedError, BusyError, UnmeasurableError) as error:
        swept.reason = str(error)
    except OSError as error:
        swept.reason = error.strerror or str(error)
    yield identity, asdict(swept)


def _open_target(workspace: int) -> int:
    """The folder `target` of an open workspace. Raises FileNotFoundError, and SkipError where it is not one of
    cargo's."""
    found = os.stat("target", dir_fd=workspace, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        raise SkipError("it is a symbolic link")
    try:
        manifest = os.stat("Cargo.toml", dir_fd=workspace, follow_symlinks=False)
    except FileNotFoundError as error:
        raise SkipError("there is no Cargo.toml beside it") from error
    if not stat.S_ISREG(manifest.st_mode):
        raise SkipError("the Cargo.toml beside it is no plain file")
    try:
        return os.open("target", FOLDER, dir_fd=workspace)
    except NotADirectoryError as error:
        raise SkipError("it is no folder") from error


def _sweep_target(swept: Swept, workspace: int, target: int, limit: int, dry_run: bool) -> Iterator[None]:
    """Fill ``swept``; a step for each time that there is more to tell."""
    if os.fstat(workspace).st_dev != os.fstat(target).st_dev:
        raise SkipError("it is on another file system than its workspace")
    _refuse_mounts(target)
    measured = measure(target)
    swept.size = measured.size
    if measured.size < limit:
        swept.outcome = "kept"
        yield
        return
    held = hold_locks(target, measured.locks)
    try:
        if dry_run:
            swept.outcome = "over"
            yield
            return
        yield
        _refuse_mounts(target)
        swept.reason = remove_target(workspace, target)
        swept.outcome = "failed" if swept.reason else "cleaned"
        swept.freed = _freed(workspace, target, measured)
        yield
    finally:
        release(held)


def _owner(workspace: int, target: int, users: tuple[str, ...]) -> pwd.struct_passwd:
    """The account that everything belongs to. Raises SkipError where cleaning would use rights that nobody lent."""
    place = os.fstat(workspace)
    owners = {place.st_uid, os.fstat(target).st_uid, os.lstat("Cargo.toml", dir_fd=workspace).st_uid}
    if len(owners) > 1:
        raise SkipError("it, its workspace and Cargo.toml belong to different accounts")
    if place.st_mode & stat.S_IWOTH:
        raise SkipError("anybody may write in its workspace: chmod o-w")
    try:
        account = pwd.getpwuid(place.st_uid)
    except KeyError as error:
        raise SkipError(f"it belongs to uid {place.st_uid}, which is no account") from error
    if users and account.pw_name not in users:
        raise SkipError(f"it belongs to {account.pw_name}, and is swept for {', '.join(users)} only")
    if account.pw_uid == 0 and not users:
        raise SkipError("it belongs to root: name root in the users of the workspace")
    return account


def _refuse_mounts(target: int) -> None:
    path = os.readlink(f"/proc/self/fd/{target}")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as mountinfo:
        mounted = mounted_below(path, mountinfo)
    if mounted:
        raise SkipError(f"{safe_text(mounted[0], LONGEST_PATH)} is a mount point")


def _freed(workspace: int, target: int, measured: Measure) -> int:
    """Bytes that came free, without a second walk."""
    try:
        now = os.stat("target", dir_fd=workspace, follow_symlinks=False)
    except FileNotFoundError:
        return measured.size
    before = os.fstat(target)
    if (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino):
        return measured.size  # the next build is at it already
    left = set(os.listdir(target))
    return sum(size for name, size in measured.parts.items() if name not in left)
