# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The free space of the host's own file systems. File systems of the network and of FUSE may never answer, and are left
out."""

from __future__ import annotations

from ..observed.shapes import FileSystem
from ..text import LONGEST_PATH, safe_text
from .mounts import MOUNTINFO, read_mounts
from .space import space_at

KINDS = ("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs", "zfs")
MOST = 20


def observe_disks(mountinfo: str = MOUNTINFO) -> dict[str, FileSystem]:
    """The file systems by mount point, each one once. The root is always listed, also in a container."""
    places: dict[str, str] = {}  # by device
    mounts = list(read_mounts(mountinfo))
    # Below a mount of an account, a call may never return.
    covered = tuple(f"{mount.point}/" for mount in mounts if mount.by_account)
    for mount in mounts:
        if f"{mount.point}/".startswith(covered):
            continue
        if mount.filesystem in KINDS and not (mount.point + "/").startswith("/boot/"):
            places.setdefault(mount.device, mount.point)
    found = {}
    for place in list(dict.fromkeys(["/", *places.values()]))[:MOST]:
        try:
            space = space_at(place)
        except OSError:
            continue  # not mounted any more, or in a folder that this process may not enter
        if space.size:
            found[safe_text(place, LONGEST_PATH)] = FileSystem(
                space.size, space.free, round(10_000 * space.free_share())
            )
    return found
