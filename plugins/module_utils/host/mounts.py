# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The mount table. Accounts that mount FUSE file systems choose names in it, and the kernel escapes only space, tab,
newline and backslash. So lines and words end only at these, and not at all characters that Python splits at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

MOUNTINFO = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    device: str  #: As "8:1".
    folder: str  #: Of the file system, which is seen at ``point``.
    point: str
    filesystem: str
    options: list[str]  #: Of the file system, not of the mount.

    @property
    def by_account(self) -> bool:
        """Whether an account other than root has mounted it, as a FUSE file system."""
        return any(word.startswith("user_id=") and word != "user_id=0" for word in self.options)


def read_mounts(path: str = MOUNTINFO) -> Iterator[Mount]:
    """Raises OSError, and ValueError with a line that has another format."""
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    for line in filter(None, lines):
        fields = os.fsdecode(line).split(" ")
        if "-" not in fields[6:]:
            raise ValueError(os.fsdecode(line))
        filesystem, _source, options = (*fields[fields.index("-", 6) + 1 :], "", "")[:3]
        folder, point = (_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), field) for field in fields[3:5])
        yield Mount(fields[2], folder, point, filesystem, options.split(","))


def mounted_by_user(device: int, mountinfo: str = MOUNTINFO) -> bool:
    """Whether ``device`` is a FUSE file system that an account other than root has mounted."""
    number = f"{os.major(device)}:{os.minor(device)}"
    return any(one.by_account for one in read_mounts(mountinfo) if one.device == number)
