# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The size of a folder, by one walk that reads each entry once. It stays in the folder and on its file system."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from ..text import LONGEST_PATH, safe_text
from .folders import SkipError, open_below

# Each level needs an open descriptor. cargo itself uses fewer than 20 levels.
DEEPEST = 128
# cargo's locks are in target/PROFILE and target/TRIPLE/PROFILE.
LOCK_DEPTH = 3
BLOCK = 512  # bytes of st_blocks


@dataclass
class Measure:
    """``size`` is the sum of the file sizes in bytes, each hard link once, as in the guide's `du -sb` and in cargo's
    "Removed ...". ``on_disk`` is the space on the disk. ``parts`` has the size of each entry at the top.
    ``locks`` are cargo's locks, as tuples of names. ``entries`` is the number of files and folders."""

    size: int = 0
    on_disk: int = 0
    entries: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    locks: list[tuple[str, ...]] = field(default_factory=list)


def measure(folder: int) -> Measure:
    """Measure an open folder. Entries that are removed meanwhile are not counted. Raises SkipError for an
    entry that no build creates."""
    itself = os.fstat(folder)
    total = Measure(size=itself.st_size, on_disk=itself.st_blocks * BLOCK)
    _walk(folder, (), itself.st_dev, total, set())
    return total


def _walk(folder: int, names: tuple[str, ...], device: int, total: Measure, seen: set[int]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            before = total.size
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            here = (*names, entry.name)
            if found.st_dev != device:
                raise SkipError(f"its {safe_text('/'.join(here), LONGEST_PATH)} is on another file system")
            total.entries += 1
            if stat.S_ISDIR(found.st_mode):
                total.size += found.st_size
                total.on_disk += found.st_blocks * BLOCK
                if len(here) > DEEPEST:
                    raise SkipError(f"it has more than {DEEPEST} levels of folders")
                _enter(folder, here, device, total, seen)
            elif found.st_nlink == 1 or found.st_ino not in seen:
                if found.st_nlink > 1:
                    seen.add(found.st_ino)
                total.size += found.st_size
                total.on_disk += found.st_blocks * BLOCK
                if len(here) <= LOCK_DEPTH and entry.name.startswith(".cargo-") and entry.name.endswith("lock"):
                    total.locks.append(here)
            if not names:
                total.parts[entry.name] = total.size - before


def _enter(parent: int, names: tuple[str, ...], device: int, total: Measure, seen: set[int]) -> None:
    try:
        inner = open_below(parent, names[-1:])
    except OSError:
        return  # removed, or replaced by a link
    try:
        _walk(inner, names, device, total, seen)
    finally:
        os.close(inner)
