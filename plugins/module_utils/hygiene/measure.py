# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""How large a folder is, by one walk that looks at each file once and leaves neither the folder nor its file system."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.folders import open_below
from ansible_collections.nova.agent_host.plugins.module_utils.text import LONGEST_PATH, safe_text

# An open descriptor a level; cargo itself stays below 20.
DEEPEST = 128
# Cargo's locks lie in target/PROFILE and target/TRIPLE/PROFILE.
LOCK_DEPTH = 3
BLOCK = 512  # bytes of st_blocks


class UnmeasurableError(ValueError):
    """The folder has something in it that no build puts there; the message names it."""


@dataclass
class Measure:
    """``size`` is in bytes, as the operational guide's `du -sb` and cargo's own "Removed ..." count: what the files say
    that they hold, hard links once. ``on_disk`` is what they take there. ``parts`` is the size of each name at the top;
    ``locks`` are cargo's locks, as lists of names. The walk looked at ``entries`` files and folders."""

    size: int = 0
    on_disk: int = 0
    entries: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    locks: list[tuple[str, ...]] = field(default_factory=list)


def measure(folder: int) -> Measure:
    """Measure an open folder. What vanishes meanwhile is not counted. Raises UnmeasurableError."""
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
                raise UnmeasurableError(f"{safe_text('/'.join(here), LONGEST_PATH)} in it is on another file system")
            total.entries += 1
            if stat.S_ISDIR(found.st_mode):
                total.size += found.st_size
                total.on_disk += found.st_blocks * BLOCK
                if len(here) > DEEPEST:
                    raise UnmeasurableError(f"it has folders in each other more than {DEEPEST} deep")
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
        return  # gone, or swapped for a link: no part of the folder any more
    try:
        _walk(inner, names, device, total, seen)
    finally:
        os.close(inner)
