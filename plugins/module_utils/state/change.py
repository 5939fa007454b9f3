# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Change one path on this host, completely or not at all, in a folder that only root can change.

Every change uses a descriptor of the parent folder, which look.py opens name by name. foreign.py changes folders of
other accounts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from .look import group_id, observe_in, opened_own_folder, user_id
from .paths import PathState, StateError, sha256

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS and two of its flags, from linux/fs.h
IMMUTABLE = 0x10
APPEND_ONLY = 0x20


def _ids(path: str, state: PathState) -> tuple[int, int]:
    try:
        return user_id(state.owner or "root"), group_id(state.group or "root")
    except KeyError:
        raise StateError(
            f"{path} must belong to {state.owner}:{state.group}, which this host does not have: create them, or move "
            "the file away"
        ) from None


def without_lost_owner(state: PathState) -> PathState:
    """``state``, with root instead of an owner or group that this host no longer has."""
    owner, group, mode = state.owner, state.group, state.mode
    try:
        user_id(owner or "root")
    except KeyError:
        owner, mode = "root", _plain(mode)
    try:
        group_id(group or "root")
    except KeyError:
        group, mode = "root", _plain(mode)
    return replace(state, owner=owner, group=group, mode=mode)


def _plain(mode: str) -> str:
    """``mode`` without setuid and setgid: they were for the old account."""
    return f"{int(mode, 8) & 0o1777:04o}" if mode else mode


def put(path: str, state: PathState, content: bytes | None) -> None:
    """Change ``path`` to ``state``. Raises OSError; StateError if there is no such owner, or others may write."""
    if state.kind == "absent":
        remove(path)
        return
    ids = _ids(path, state)
    with opened_own_folder(os.path.dirname(path)) as folder:
        name = os.path.basename(path)
        found = observe_in(folder, name, content=bool(state.sha256))
        if state.kind == "directory":
            if found.kind in ("file", "link"):
                os.unlink(name, dir_fd=folder)
            if found.kind != "directory":
                os.mkdir(name, 0o700, dir_fd=folder)
            _set_attributes(name, folder, ids, state.mode)
        elif state.kind == "link":
            _replace(path, folder, lambda new: _make_link(new, folder, state.target, ids))
        elif found.kind == "file" and found.sha256 == state.sha256:
            _set_attributes(name, folder, ids, state.mode)  # in place, so that locks on the file stay
        else:
            data = content or b""
            if state.sha256 and sha256(data) != state.sha256:
                raise StateError(f"{path}: the new content has another sha256 than the plan, and is not written")
            _replace(path, folder, lambda new: _make_file(new, folder, data, ids, state.mode))


def set_attributes(path: str, state: PathState) -> None:
    """Set owner, group and mode of an existing file or folder."""
    with opened_own_folder(os.path.dirname(path)) as folder:
        _set_attributes(os.path.basename(path), folder, _ids(path, state), state.mode)


def remove(path: str) -> None:
    """Remove a file, a link or an empty folder. A folder that is not empty stays."""
    with suppress(FileNotFoundError), opened_own_folder(os.path.dirname(path)) as folder:
        name = os.path.basename(path)
        _clear(name, folder)
        if observe_in(folder, name, content=False).kind != "directory":
            os.unlink(name, dir_fd=folder)
            return
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise


def _replace(path: str, folder: int, make: Callable[[str], None]) -> None:
    name = os.path.basename(path)
    new = _clear(name, folder)
    make(new)
    try:
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(new, dir_fd=folder)
        raise
    _sync(folder)


def _sync(folder: int) -> None:
    opened = os.open(".", FOLDER, dir_fd=folder)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _clear(name: str, folder: int) -> str:
    """Return the temporary name for a new file, and remove a leftover of a killed run with this name."""
    new = f".{name}.nova-agent-tmp"  # no *.conf, so it is never read as a drop-in
    with suppress(FileNotFoundError):
        os.unlink(new, dir_fd=folder)
    return new


def _make_file(name: str, folder: int, content: bytes, ids: tuple[int, int], mode: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
            os.fchown(file.fileno(), *ids)
            os.fchmod(file.fileno(), int(mode, 8))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _make_link(name: str, folder: int, target: str, ids: tuple[int, int]) -> None:
    os.symlink(target, name, dir_fd=folder)
    os.chown(name, *ids, dir_fd=folder, follow_symlinks=False)


def _set_attributes(name: str, folder: int, ids: tuple[int, int], mode: str) -> None:
    entry = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fchown(entry, *ids)
        os.fchmod(entry, int(mode, 8))  # after fchown, which clears set-id bits
    finally:
        os.close(entry)


def reason(path: str, error: OSError) -> str:
    """Why ``path`` could not be changed. For root, EPERM usually means an attribute that stat does not show."""
    text = error.strerror or str(error)
    if error.errno == errno.EBUSY:
        return f"{text}; if it is a mount point: umount {path}"
    if error.errno in (errno.EISDIR, errno.ELOOP):
        return f"{text}; move it away"
    if error.errno != errno.EPERM:
        return text
    fixed = [name for name in (path, os.path.dirname(path)) if _is_fixed(name)]
    return f"{text}; {fixed[0]} is immutable or append-only: chattr -ia {fixed[0]}" if fixed else text


def _is_fixed(path: str) -> bool:
    try:
        entry = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        (flags,) = struct.unpack("i", fcntl.ioctl(entry, GET_FLAGS, bytes(4)))
    except OSError:
        return False  # a file system without such flags
    finally:
        os.close(entry)
    return bool(flags & (IMMUTABLE | APPEND_ONLY))
