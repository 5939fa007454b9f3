# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""How much is free on the host's own file systems. One of the network or of FUSE is not asked: it may never answer."""

from __future__ import annotations

from ..observed.shapes import FileSystem
from ..text import LONGEST_PATH, safe_text
from .mounts import MOUNTINFO, read_mounts
from .space import space_at

KINDS = ("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "xfs", "zfs")
MOST = 20


def observe_disks(mountinfo: str = MOUNTINFO) -> dict[str, FileSystem]:
    """By where they are mounted, each once. The root's is there whatever it is, as in a container."""
    places: dict[str, str] = {}  # by device
    mounts = list(read_mounts(mountinfo))
    # An account can mount over a folder of its own, and what is below: that may never answer.
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
            continue  # not mounted any more, or below what this process may enter
        if space.size:
            found[safe_text(place, LONGEST_PATH)] = FileSystem(
                space.size, space.free, round(10_000 * space.free_share())
            )
    return found
