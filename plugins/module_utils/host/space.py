# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The space of a file system."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..sizes import readable_size


class Space(NamedTuple):
    """The space of a file system that accounts other than root can use."""

    size: int  # bytes
    free: int
    inodes: int  # 0: the file system has no fixed number
    free_inodes: int

    def free_share(self) -> float:
        """The free share of bytes or of inodes, whichever is smaller, from 0 to 1."""
        shares = [free / whole for free, whole in ((self.free, self.size), (self.free_inodes, self.inodes)) if whole]
        return min(shares, default=1.0)

    def with_freed(self, size: int, inodes: int) -> Space:
        return self._replace(free=self.free + size, free_inodes=self.free_inodes + inodes)

    def described(self) -> str:
        text = f"{readable_size(self.free)} of {readable_size(self.size)} ({_percent(self.free, self.size)}) free"
        return text + (f", inodes {_percent(self.free_inodes, self.inodes)}" if self.inodes else "")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def space_at(place: int | str) -> Space:
    """Of the file system of an open folder or a path. Raises OSError."""
    found = os.statvfs(place)
    return Space(
        size=(found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize,
        free=found.f_bavail * found.f_frsize,
        inodes=found.f_files - found.f_ffree + found.f_favail,
        free_inodes=found.f_favail,
    )
