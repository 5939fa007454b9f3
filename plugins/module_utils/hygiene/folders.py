# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Folders of people who may mean harm: opened name by name, never through a symbolic link.

Everything is reached by an open folder (``dir_fd``), so that swapping a folder for a link between a check and its use
leads nowhere else.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import posixpath
import re
from collections.abc import Iterable

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


def expand(pattern: str) -> list[str]:
    """The paths that an absolute ``pattern`` stands for, as a shell has it: wildcards skip names with a leading dot.

    No link is followed on the way; a path without wildcards is given as it is, whether it exists or not.
    """
    paths = ["/"]
    for part in (part for part in pattern.split("/") if part):
        if not WILDCARD.search(part):
            paths = [posixpath.join(path, part) for path in paths]
            continue
        paths = [
            posixpath.join(path, name)
            for path in paths
            for name in fnmatch.filter(_names(path), part)
            if not name.startswith(".") or part.startswith(".")
        ]
    return paths


def _names(path: str) -> list[str]:
    try:
        folder = open_folder(path)
    except ValueError:
        return []
    try:
        return sorted(os.listdir(folder))
    finally:
        os.close(folder)


def mounted_below(path: str, mountinfo: Iterable[str]) -> list[str]:
    """Mount points at or below ``path``, from lines of /proc/self/mountinfo: a bind mount has the same device
    number."""
    points = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split(" ")[4]) for line in mountinfo]
    return [point for point in points if point == path or point.startswith(path + "/")]
