# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What stands at a path of this host, looked at as carefully as it is changed.

Users own some of the folders on the way (a checkout, say) and some of the files (a slot's record): nobody leads root
elsewhere by a link, holds it up with a FIFO, or fills its memory with a file that has no end.
"""

from __future__ import annotations

import errno
import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, TOO_LARGE, State, StateError

BLOCK = 1 << 20
LARGEST = 64 << 20  # bytes of a file that are read
MOST_LINKS = 40  # on the way to a folder, as for the kernel
PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # needs no right to read a folder, and of a link gives the link


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


@contextmanager
def opened_folder(path: str) -> Iterator[int]:
    """A descriptor (O_PATH) of a folder. Links on the way are followed where root, or who runs this, owns them.

    Raises OSError, and StateError for a link of somebody else.
    """
    folder, links = os.open("/", PLACE), 0
    parts = _parts(path)
    try:
        while parts:
            place = os.open(parts[0], PLACE, dir_fd=folder)
            name = parts.pop(0)
            found = os.fstat(place)
            if not stat.S_ISLNK(found.st_mode):
                os.close(folder)
                folder = place
                continue
            # Read by its descriptor: the link that is followed is the one whose owner was looked at.
            target = os.readlink("", dir_fd=place)
            os.close(place)
            links += 1
            if found.st_uid not in (0, os.geteuid()):
                raise StateError(
                    f"{path}: {name} is a link of uid {found.st_uid} and is not followed: name the real path"
                )
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                os.close(folder)
                folder = os.open("/", PLACE)
            parts = _parts(target) + parts
        yield folder
    finally:
        os.close(folder)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def observe(path: str, content: bool = True) -> State:
    """The state of ``path`` itself (a link is not followed); of a file without ``sha256`` where ``content`` is false.

    Where somebody's link leads there it is ``{"kind": "unreadable", "why": …}``. Raises OSError where it can't be read.
    """
    try:
        with opened_folder(os.path.dirname(path)) as folder:
            return observe_in(folder, os.path.basename(path), content)
    except (FileNotFoundError, NotADirectoryError):
        return dict(ABSENT)
    except StateError as error:
        return {"kind": "unreadable", "why": str(error)}


def observe_in(folder: int, name: str, content: bool = True) -> State:
    """``observe`` for a name in an open folder."""
    try:
        place = os.open(name, PLACE, dir_fd=folder)
    except FileNotFoundError:
        return dict(ABSENT)
    try:
        found = os.fstat(place)
        state: State = {"owner": owner_name(found.st_uid), "group": group_name(found.st_gid)}
        if stat.S_ISLNK(found.st_mode):
            return {"kind": "link", "target": os.readlink("", dir_fd=place), **state}
        state["mode"] = f"{stat.S_IMODE(found.st_mode):04o}"
        if stat.S_ISDIR(found.st_mode):
            return {"kind": "directory", **state}
        if not stat.S_ISREG(found.st_mode):
            return {"kind": "special", **state}  # a device, socket or FIFO: never opened, never replaced
        if not content:
            return {"kind": "file", **state}
        return {"kind": "file", "sha256": _sha256(place), **state}
    finally:
        os.close(place)


def read(path: str) -> bytes:
    """The bytes of a regular file, never through a link. Raises OSError (EFBIG above LARGEST) and StateError."""
    with opened_folder(os.path.dirname(path)) as folder:
        place = os.open(os.path.basename(path), PLACE, dir_fd=folder)
        try:
            content = b"".join(_blocks(place))
        finally:
            os.close(place)
    return content


def _sha256(place: int) -> str:
    digest = hashlib.sha256()
    try:
        for block in _blocks(place):
            digest.update(block)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return TOO_LARGE
    return digest.hexdigest()


def _blocks(place: int) -> Iterator[bytes]:
    """What the regular file of an O_PATH descriptor holds, opened by that descriptor: no FIFO gets in the way."""
    if not stat.S_ISREG(os.fstat(place).st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    with open(os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC), "rb", buffering=0) as file:
        total = os.fstat(place).st_size
        while total <= LARGEST and (block := file.read(BLOCK)):
            yield block
            total = max(total, file.tell())
    if total > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
