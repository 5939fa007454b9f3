# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Folders of people who may mean harm: opened name by name, never through a symbolic link.

Everything is reached by an open folder (``dir_fd``), so that swapping a folder for a link between a check and its use
leads nowhere else.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Sequence

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.space import Space
from ansible_collections.nova.agent_host.plugins.module_utils.text import LONGEST_PATH, safe_text

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
WILDCARD = re.compile(r"[*?[]")


class MissingError(ValueError):
    """There is no such folder."""


class RefusedError(ValueError):
    """There is something, and it is not entered; the message says what and why."""


def open_folder(path: str) -> int:
    """A descriptor of the folder at an absolute ``path``. Raises MissingError, and RefusedError at a link."""
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


def _reason(folder: int, name: str, path: str, error: OSError) -> ValueError:
    try:
        leads_to = os.readlink(name, dir_fd=folder)
    except OSError:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return MissingError(f"{safe_text(path, LONGEST_PATH)} is no folder")
        return RefusedError(f"{safe_text(path, LONGEST_PATH)}: {error.strerror}")
    return RefusedError(
        f"{safe_text(path, LONGEST_PATH)} is a symbolic link to {safe_text(leads_to, LONGEST_PATH)}, "
        "and links are not followed: write the path without it"
    )


def open_below(folder: int, names: Sequence[str]) -> int:
    """A descriptor of what is below an open folder, by one name after the other. Raises OSError, also at a link."""
    inner = os.dup(folder)
    for name in names:
        outer = inner
        try:
            inner = os.open(name, FOLDER, dir_fd=outer)
        finally:
            os.close(outer)
    return inner


def space_of(folder: int) -> Space:
    """What the file system of an open folder has for accounts other than root."""
    found = os.fstatvfs(folder)
    return Space(
        size=(found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize,
        free=found.f_bavail * found.f_frsize,
        inodes=found.f_files - found.f_ffree + found.f_favail,
        free_inodes=found.f_favail,
    )


def mount_of(folder: int) -> str:
    """Where the file system of an open folder is mounted."""
    with open(f"/proc/self/fdinfo/{folder}", encoding="ascii") as info:
        mount = next(line.split()[1] for line in info if line.startswith("mnt_id:"))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="\n") as mountinfo:
        return next((_point(line) for line in mountinfo if line.split(" ", 1)[0] == mount), "/")


def mounted_below(path: str, mountinfo: Iterable[str]) -> list[str]:
    """Mount points at or below ``path``, from lines of /proc/self/mountinfo: a bind mount has the same device
    number."""
    points = map(_point, mountinfo)
    return [point for point in points if point == path or point.startswith(path + "/")]


def _point(line: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split(" ")[4])
