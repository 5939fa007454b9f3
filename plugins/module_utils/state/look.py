# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read the state of a path on this host.

Users own some of the parent folders (a checkout, for example) and some of the files. This module protects root against
their links, their FIFOs and endless files.
"""

from __future__ import annotations

import enum
import errno
import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ..host.mounts import mounted_by_user
from ..text import LONGEST_PATH, safe_text
from .paths import ABSENT, TOO_LARGE, PathState, StateError

BLOCK = 1 << 20
LARGEST = 64 << 20  # bytes of a file that are read
MOST_LINKS = 40  # in one path, the same number as in the kernel
OR_GIVE_IT = ", or change its owner to the account that uses it"
PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # needs no read permission, and opens a link itself


class Trust(enum.Enum):
    """The accounts that can change the entries of a folder."""

    OWN = "only root"
    STICKY = "every account can add entries, but only root can replace root's entries (/tmp)"
    FOREIGN = "other accounts"


def user_id(name: str) -> int:
    """Raises KeyError if there is no such account."""
    return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid


def group_id(name: str) -> int:
    """Raises KeyError if there is no such group."""
    return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid


def owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def trust(folder: os.stat_result, above: os.stat_result, trust_above: Trust) -> Trust:
    """The trust in ``folder``, an entry of the folder ``above``. Everything below a foreign folder is foreign."""
    if trust_above is Trust.FOREIGN or folder.st_uid not in (0, os.geteuid()):
        return Trust.FOREIGN
    if folder.st_dev != above.st_dev and mounted_by_user(folder.st_dev):
        return Trust.FOREIGN  # FUSE can show any owner
    if not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Trust.OWN
    return Trust.STICKY if folder.st_mode & stat.S_ISVTX else Trust.FOREIGN


@contextmanager
def opened_folder(path: str) -> Iterator[int]:
    """A descriptor (O_PATH) of a folder. A link in the path is followed only if it is in a folder that only root (or
    the account of this process) can change.

    Raises OSError, and StateError for any other link.
    """
    folder, _trust, _rest = _walk(path)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def opened_own_folder(path: str) -> Iterator[int]:
    """The same, for changes. Raises StateError if other accounts can change the entries of the folder."""
    folder, found, _rest = _walk(path)
    try:
        if found is not Trust.OWN:
            raise StateError(f"{path}: {not_roots(path)}")
        yield folder
    finally:
        os.close(folder)


def is_roots(path: str) -> bool:
    """Whether only root can change the entries of the folder ``path``. If it is missing or no folder, the nearest
    folder above it decides."""
    while True:
        try:
            folder, found, _rest = _walk(path, to_border=True)
        except (FileNotFoundError, NotADirectoryError):
            path = os.path.dirname(path)
            continue
        except (OSError, StateError):
            return False
        is_folder = stat.S_ISDIR(os.fstat(folder).st_mode)
        os.close(folder)
        if is_folder:
            return found is Trust.OWN
        path = os.path.dirname(path)


def not_roots(path: str) -> str:
    """Why root changes nothing in the folder ``path``, and how to correct it."""
    folder = path
    while not is_roots(os.path.dirname(folder)):
        folder = os.path.dirname(folder)
    return (
        f"accounts other than root may write in {folder}, so root changes nothing there: run "
        f"`chown root {folder} && chmod go-w {folder}`"
    )


def border(path: str) -> tuple[int, list[str]]:
    """The first folder in ``path`` that belongs to an account other than root, as a descriptor, and the remaining names
    below it. If there is none, it is the folder ``path`` itself. Raises OSError and StateError.
    """
    folder, found, rest = _walk(path, to_border=True)
    if found is not Trust.OWN and os.fstat(folder).st_uid == 0:
        os.close(folder)
        raise StateError(f"{not_roots(path)}{OR_GIVE_IT}")
    return folder, rest


def _walk(path: str, to_border: bool = False) -> tuple[int, Trust, list[str]]:
    folder, here, links = os.open("/", PLACE), Trust.OWN, 0
    parts = _parts(path)
    try:
        while parts:
            place = os.open(parts[0], PLACE, dir_fd=folder)
            try:
                name = parts.pop(0)
                found = os.fstat(place)
                if not stat.S_ISLNK(found.st_mode):
                    here = trust(found, os.fstat(folder), here)
                    folder, place = place, folder
                    if to_border and here is Trust.FOREIGN and found.st_uid != 0:
                        break
                    continue
                if found.st_uid not in (0, os.geteuid()):
                    raise StateError(
                        f"{path}: {name} is a link of uid {found.st_uid} and is not followed: use the real path"
                    )
                if here is not Trust.OWN:
                    raise StateError(
                        f"{path}: {name} is a link in a folder that others may write, and is not followed: use the "
                        "real path"
                    )
                # Read by descriptor, so that it is the link that was checked.
                target = os.readlink("", dir_fd=place)
            finally:
                os.close(place)
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                os.close(folder)
                folder = os.open("/", PLACE)
            parts = _parts(target) + parts
    except BaseException:
        os.close(folder)
        raise
    return folder, here, parts


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def observe(path: str, content: bool = True) -> PathState:
    """The state of ``path`` itself (a link is not followed). Without ``content``, a file has no ``sha256``.

    A path that can't be read (no permission, a dead mount, another account's link in the path) has the kind
    ``unreadable``, and ``why``. Never raises because of the content of the disk.
    """
    try:
        with opened_folder(os.path.dirname(path)) as folder:
            return observe_in(folder, os.path.basename(path), content)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except StateError as error:
        return PathState("unreadable", why=str(error))
    except OSError as error:
        return PathState("unreadable", why=f"{path}: {error.strerror}")


def observe_in(folder: int, name: str, content: bool | int = True) -> PathState:
    """``observe`` for a name in an open folder. ``content`` can be the maximum number of bytes to read."""
    try:
        place = os.open(name, PLACE, dir_fd=folder)
    except FileNotFoundError:
        return ABSENT
    try:
        found = os.fstat(place)
        owner, group, mode = owner_name(found.st_uid), group_name(found.st_gid), f"{stat.S_IMODE(found.st_mode):04o}"
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink("", dir_fd=place)
            if safe_text(target, LONGEST_PATH) != target:
                return PathState(
                    "unreadable", why=f"{name} is a link whose target has unprintable characters: move it away"
                )
            return PathState("link", owner=owner, group=group, target=target)
        if stat.S_ISDIR(found.st_mode):
            return PathState("directory", mode, owner, group)
        if not stat.S_ISREG(found.st_mode):
            return PathState("special", mode, owner, group)  # a device, socket or FIFO: never opened, never replaced
        if content is False:
            return PathState("file", mode, owner, group)
        digest = _sha256(place, LARGEST if content is True else content)
        return PathState("file", mode, owner, group, sha256=digest)
    finally:
        os.close(place)


def read(path: str) -> bytes:
    """The content of a regular file; links are not followed. Raises OSError (EFBIG above LARGEST) and StateError."""
    with opened_folder(os.path.dirname(path)) as folder:
        return read_in(folder, os.path.basename(path), LARGEST)


def read_in(folder: int, name: str, largest: int) -> bytes:
    """``read`` for a name in an open folder."""
    place = os.open(name, PLACE, dir_fd=folder)
    try:
        return b"".join(_blocks(place, largest))
    finally:
        os.close(place)


def _sha256(place: int, largest: int) -> str:
    digest = hashlib.sha256()
    try:
        for block in _blocks(place, largest):
            digest.update(block)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return TOO_LARGE
    return digest.hexdigest()


def _blocks(place: int, largest: int) -> Iterator[bytes]:
    """The content of a regular file, opened by its O_PATH descriptor, so that it can't become a FIFO meanwhile."""
    if not stat.S_ISREG(os.fstat(place).st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    with open(os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC), "rb", buffering=0) as file:
        total = os.fstat(place).st_size
        while total <= largest and (block := file.read(BLOCK)):
            yield block
            total = max(total, file.tell())
    if total > largest:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
