# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Empty a target folder by descriptor, and take cargo's locks in it."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from ..text import LONGEST_PATH, safe_text
from .folders import SkipError, inside
from .measure import DEEPEST


@contextmanager
def builds_wait(target: int, locks: Iterable[tuple[str, ...]]) -> Iterator[None]:
    """Take cargo's locks, so that a new build waits until the folder is removed. Raises SkipError if a build has one of
    them."""
    with ExitStack() as held:
        for names in locks:
            try:
                lock = _open_lock(target, names)
            except OSError:
                continue  # removed or replaced meanwhile
            held.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                locked = safe_text("/".join(names), LONGEST_PATH)
                raise SkipError(f"a build is running: {locked} is locked") from error
        yield


def _open_lock(target: int, names: tuple[str, ...]) -> int:
    with inside(target, *names[:-1]) as folder:
        # O_NONBLOCK: opening a FIFO would wait for a writer.
        lock = os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        os.close(lock)
        raise FileNotFoundError(names[-1])
    return lock


def remove_target(target: int, parent: int, name: str) -> str:
    """Remove the open folder ``target``, which is ``name`` in ``parent``, with the rights of the caller.

    Returns the first reason why something could not be removed, or an empty text."""
    failures = empty_folder(target)
    if not failures:
        with suppress(OSError):  # a new build uses it already
            os.rmdir(name, dir_fd=parent)
    return failures


def empty_folder(folder: int, keep: str = "") -> str:
    """Remove the content of an open folder, except the file ``keep``. Follows no link, and enters no other file system.

    Returns the first reason why something could not be removed, or an empty text."""
    failures: list[str] = []
    _empty(folder, (), os.fstat(folder).st_dev, failures, keep)
    return failures[0] if failures else ""


def _empty(folder: int, names: tuple[str, ...], device: int, failures: list[str], keep: str = "") -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == keep:
                continue
            try:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=folder)
                    continue
                with inside(folder, entry.name) as inner:
                    if os.fstat(inner).st_dev != device or len(names) > DEEPEST:
                        raise OSError(0, "it is on another file system or too deep")
                    _empty(inner, (*names, entry.name), device, failures)
                os.rmdir(entry.name, dir_fd=folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                failures.append(f"{safe_text('/'.join((*names, entry.name)))}: {error.strerror}")
