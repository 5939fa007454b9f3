# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read files of the system below a given root, and write a file of root as a whole. A file that exists and can't be
read is an error, never empty."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

CHUNK = 1 << 20  # characters; the kernel refuses to read more of /proc/sys at a time
LARGEST = 64 << 20  # characters of one file; dpkg's status file has a few MiB
T = TypeVar("T")


class HostError(ValueError):
    """A file of the host has an impossible value or can't be read. The message names the file and its content."""


def below(root: str, path: str) -> str:
    """Absolute ``path`` of a host whose files are below ``root``."""
    return os.path.join(root, path.lstrip("/"))


def at_once(path: str, flags: int) -> int:
    """An opener for ``open``, which does not wait for the other end of a FIFO: a FIFO is read as an empty file."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_text(path: str, root: str = "/") -> str:
    """The text of a file; empty if it is missing. Raises HostError."""
    return _tried(_read, below(root, path), "")


def read_needed(path: str, root: str = "/") -> str:
    """The text of a file that every host has. Raises HostError."""
    return _tried(_read, below(root, path))


def exists(path: str, root: str = "/") -> bool:
    """Whether ``path`` exists; a link is followed. Raises HostError."""
    return _tried(lambda place: bool(os.stat(place)), below(root, path), False)


def list_folder(path: str, root: str = "/") -> list[str]:
    """The names in a folder, sorted; none if it is missing. Raises HostError."""
    empty: list[str] = []
    return sorted(_tried(_names, below(root, path), empty))


def find(pattern: str, root: str = "/") -> list[str]:
    """The paths that match a shell pattern, sorted, as with glob. Raises HostError for a folder that can't be read."""
    found = [""]
    for part in filter(None, pattern.split("/")):
        if glob.has_magic(part):
            found = [f"{folder}/{name}" for folder in found for name in _matching(list_folder(folder, root), part)]
        else:
            found = [f"{folder}/{part}" for folder in found]
    return sorted(path for path in found if exists(path, root))


def write_whole(path: str, content: bytes) -> None:
    """Write a file with mode 0644 in a folder of root, completely or not at all. Raises OSError with ``path``."""
    new = f"{path}.new"
    try:
        with open(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), "wb"
        ) as file:
            os.fchmod(file.fileno(), 0o644)  # independent of the umask
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(new)
        raise OSError(error.errno, error.strerror, path) from error


def _names(folder: str) -> list[str]:
    return os.listdir(folder)


def _matching(names: list[str], pattern: str) -> list[str]:
    return [name for name in fnmatch.filter(names, pattern) if pattern.startswith(".") or not name.startswith(".")]


def _read(path: str) -> str:
    parts, size = [], 0
    with open(path, encoding="utf-8", errors="replace") as file:
        while part := file.read(CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST:
                raise HostError(f"{path} has more than {LARGEST >> 20} MiB, and is not read: repair it on the host")
    return "".join(parts)


def _tried(work: Callable[[str], T], path: str, if_missing: T | None = None) -> T:
    try:
        return work(path)
    except OSError as error:
        if if_missing is not None and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return if_missing
        remedy = "run as root (become: true)" if isinstance(error, PermissionError) else "repair it on the host"
        raise HostError(f"{path} can't be read: {error.strerror}; {remedy}") from error
