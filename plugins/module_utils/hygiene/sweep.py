# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Which target folders of the configured workspaces are too large, and what was done about each."""

from __future__ import annotations

import os
import posixpath
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.nova.agent_host.plugins.module_utils.host.members import group_members
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.clean import (
    BusyError,
    CleanError,
    clean,
    hold_locks,
    release,
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


class SkipError(ValueError):
    """A folder that is not swept; the message says why."""


@dataclass
class Swept:
    """One folder. ``outcome`` is ``kept`` (small enough), ``cleaned``, ``over`` (a dry run would clean it), ``skipped``
    or ``failed``. ``size`` is what it was measured with, None where it was not; ``freed`` what of that is gone."""

    path: str
    outcome: str = "skipped"
    owner: str = ""
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


def sweep(policy: HygienePolicy, limit: int, dry_run: bool = False) -> Iterator[Swept]:
    """Sweep all workspaces of ``policy``: a target folder of ``limit`` bytes or more is cleaned. One result a folder,
    as soon as it is known; a folder that several patterns name is swept once."""
    seen: set[tuple[int, int]] = set()
    for workspaces in policy.workspaces:
        for path in _paths(workspaces, policy.group):
            swept = _sweep_workspace(path, workspaces, policy, limit, dry_run, seen)
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


def _sweep_workspace(
    path: str,
    workspaces: Workspaces,
    policy: HygienePolicy,
    limit: int,
    dry_run: bool,
    seen: set[tuple[int, int]],
) -> Swept | None:
    swept = Swept(posixpath.join(path, "target"))
    try:
        workspace = open_folder(path)
    except MissingError as error:
        named = not WILDCARD.search(workspaces.path) and not workspaces.path.startswith("~")
        swept.reason = str(error)
        return swept if named else None
    except RefusedError as error:
        swept.reason = str(error)
        return swept
    try:
        here = os.fstat(workspace)
        if (here.st_dev, here.st_ino) in seen:
            return None
        seen.add((here.st_dev, here.st_ino))
        try:
            target = _open_target(workspace)
        except FileNotFoundError:
            return None
        try:
            _sweep_target(swept, workspace, target, workspaces.users, policy.cargo_agent, limit, dry_run)
        finally:
            os.close(target)
    except (SkipError, BusyError, UnmeasurableError) as error:
        swept.reason = str(error)
    except OSError as error:
        swept.reason = error.strerror or str(error)
    finally:
        os.close(workspace)
    return swept


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


def _sweep_target(
    swept: Swept,
    workspace: int,
    target: int,
    users: tuple[str, ...],
    cargo_agent: str,
    limit: int,
    dry_run: bool,
) -> None:
    account = _owner(workspace, target, users)
    swept.owner = account.pw_name
    if os.fstat(workspace).st_dev != os.fstat(target).st_dev:
        raise SkipError("it is on another file system than its workspace")
    _refuse_mounts(target)
    measured = measure(target)
    swept.size = measured.size
    if measured.size < limit:
        swept.outcome = "kept"
        return
    held = hold_locks(target, measured.locks)
    try:
        if dry_run:
            swept.outcome = "over"
            return
        _refuse_mounts(target)
        try:
            clean(workspace, account, cargo_agent)
            swept.outcome = "cleaned"
        except CleanError as error:
            swept.outcome, swept.reason = "failed", str(error)
        swept.freed, left = _freed(workspace, target, measured)
        if left and swept.outcome == "cleaned":
            swept.outcome, swept.reason = "failed", f"cargo clean left {left} of its entries"
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
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mountinfo:
        mounted = mounted_below(path, mountinfo)
    if mounted:
        raise SkipError(f"{safe_text(mounted[0], LONGEST_PATH)} is a mount point")


def _freed(workspace: int, target: int, measured: Measure) -> tuple[int, int]:
    """Bytes that came free, and how many entries are left, without a second walk."""
    try:
        now = os.stat("target", dir_fd=workspace, follow_symlinks=False)
    except FileNotFoundError:
        return measured.size, 0
    before = os.fstat(target)
    if (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino):
        return measured.size, 0  # the next build is at it already
    left = set(os.listdir(target))
    return sum(size for name, size in measured.parts.items() if name not in left), len(left)
