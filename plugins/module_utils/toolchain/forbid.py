# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Prevent a process from running programs below a folder: with a mount, or with Landlock if mounts are forbidden."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

NEW_MOUNTS = 0x20000  # CLONE_NEWNS
BIND, REMOUNT, PRIVATE, RECURSIVE, NOEXEC = 0x1000, 0x20, 0x40000, 0x4000, 0x8
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # of Landlock, on all machines
BENEATH, EXECUTE, REFER = 1, 1, 1 << 13
ONLY_VERSION = 1  # create_ruleset returns Landlock's version; before 2 it forbids to move files to other folders
NO_NEW_PRIVILEGES = 38

LIBC = ctypes.CDLL(None)  # before a fork


def run_nothing_below(folder: str) -> None:
    """Called in a child before its program starts. Does nothing if the kernel supports neither."""
    os.makedirs(folder, exist_ok=True)
    if not _mount_noexec(os.fsencode(folder)):
        _allow_only(_all_but(folder))


def _mount_noexec(place: bytes) -> bool:
    return bool(
        LIBC.unshare(NEW_MOUNTS) == 0
        and LIBC.mount(None, b"/", None, PRIVATE | RECURSIVE, None) == 0
        and LIBC.mount(place, place, None, BIND, None) == 0
        and LIBC.mount(None, place, None, BIND | REMOUNT | NOEXEC, None) == 0
    )


def _all_but(folder: str) -> Iterator[str]:
    """All entries beside ``folder`` and beside each folder above it."""
    while folder != "/":
        above = os.path.dirname(folder)
        with os.scandir(above) as entries:
            yield from (entry.path for entry in entries if entry.path != folder and not entry.is_symlink())
        folder = above


def _allow_only(paths: Iterator[str]) -> None:
    if LIBC.syscall(CREATE_RULESET, None, 0, ONLY_VERSION) < 2:
        return
    handled = ctypes.c_uint64(EXECUTE | REFER)  # struct landlock_ruleset_attr
    rules = LIBC.syscall(CREATE_RULESET, ctypes.byref(handled), 8, 0)
    if rules < 0:
        return
    _allow(rules, "/", REFER)
    for path in paths:
        _allow(rules, path, EXECUTE)
    if LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        LIBC.syscall(RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, right: int) -> None:
    try:
        file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # a dead mount
        return
    # struct landlock_path_beneath_attr
    LIBC.syscall(ADD_RULE, rules, BENEATH, right.to_bytes(8, "little") + file.to_bytes(4, "little"), 0)
    os.close(file)
