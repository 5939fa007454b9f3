# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Open folders that hostile accounts can change: name by name, never through a symbolic link.

All access is relative to an open folder (``dir_fd``), so an account gains nothing if it replaces a folder by a link
between the check and the use.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ..host.mounts import Mount, read_mounts
from ..text import LONGEST_PATH, safe_text

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
WILDCARD = re.compile(r"[*?[]")


class SkipError(ValueError):
    """A folder is left out. The message has the reason."""


class MissingError(SkipError):
    """There is no such folder."""


def open_folder(path: str) -> int:
    """A descriptor of the folder at an absolute ``path``. Raises MissingError, and SkipError at a link."""
    names = [name for name in path.split("/") if name]
    folder = os.open("/", FOLDER)
    for depth, name in enumerate(names, 1):
        try:
            inner = os.open(name, FOLDER, dir_fd=folder)
        except OSError as error:
            raise _reason(folder, name, "/" + "/".join(names[:depth]), error) from error
        finally:
            os.close(folder)
        folder = inner
    return folder


@contextmanager
def opened_path(path: str) -> Iterator[int]:
    """``open_folder``, closed at the end."""
    folder = open_folder(path)
    try:
        yield folder
    finally:
        os.close(folder)


def _reason(folder: int, name: str, path: str, error: OSError) -> SkipError:
    try:
        leads_to = os.readlink(name, dir_fd=folder)
    except OSError:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return MissingError(f"{safe_text(path, LONGEST_PATH)} is no folder")
        return SkipError(f"{safe_text(path, LONGEST_PATH)}: {error.strerror}")
    return SkipError(
        f"{safe_text(path, LONGEST_PATH)} is a symbolic link to {safe_text(leads_to, LONGEST_PATH)}, "
        "and links are not followed: use the real path"
    )


def open_below(folder: int, names: Sequence[str]) -> int:
    """A descriptor of the folder ``names`` below an open folder. Raises OSError, also at a link."""
    inner = os.dup(folder)
    for name in names:
        outer = inner
        try:
            inner = os.open(name, FOLDER, dir_fd=outer)
        finally:
            os.close(outer)
    return inner


@contextmanager
def inside(folder: int, *names: str) -> Iterator[int]:
    """``open_below``, closed at the end."""
    inner = open_below(folder, names)
    try:
        yield inner
    finally:
        os.close(inner)


def mount_of(folder: int) -> str:
    """The mount point of the file system of an open folder."""
    path = os.readlink(f"/proc/self/fd/{folder}")
    points = [one.point for one in read_mounts() if path == one.point or path.startswith(one.point.rstrip("/") + "/")]
    return max(points, key=len, default="/")


def mounted_below(path: str, mounts: Iterable[Mount]) -> list[str]:
    """Mount points at or below ``path``. The device number alone does not show bind mounts."""
    return [one.point for one in mounts if one.point == path or one.point.startswith(path + "/")]
