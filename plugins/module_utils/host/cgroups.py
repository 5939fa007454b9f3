# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Facts for the ceiling: the cgroup tree of a host, the memory of all sessions, and the administrators."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..observed.shapes import Ceiling, Usage
from .files import exists, find, list_folder, read_text
from .members import group_members, user_ids

ADMINISTRATORS = ("sudo", "admin", "wheel")  # groups whose members may become root
CGROUPS = "sys/fs/cgroup"
USERS = "user.slice"
SYSTEMD_LIBRARIES = ("usr/lib/systemd/libsystemd-shared-*.so", "usr/lib/*/systemd/libsystemd-shared-*.so")
RECLAIMABLE = ("active_file", "inactive_file", "slab_reclaimable")


def observe_ceiling(agents: Iterable[str], login_user: str, root: str = "/") -> Ceiling:
    """An agent is never an administrator, even if it is in a group of ADMINISTRATORS."""
    tree = os.path.join(root, CGROUPS)
    return Ceiling(
        systemd=_systemd_version(root),
        hierarchy=_hierarchy(tree),
        controllers=read_text(f"{tree}/cgroup.controllers").split(),
        users=_usage(f"{tree}/{USERS}"),
        services=[name for name in list_folder(f"{tree}/system.slice") if name.endswith(".service")],
        administrators=_administrators({"root", login_user}, frozenset(agents)),
    )


def _systemd_version(root: str) -> int:
    """From the file name of systemd's shared library, because no process should be started."""
    for pattern in SYSTEMD_LIBRARIES:
        for path in find(pattern, root):
            match = re.search(r"-(\d+)[^/]*\.so$", path)
            if match:
                return int(match[1])
    return 0


def _hierarchy(tree: str) -> str:
    if exists(f"{tree}/cgroup.controllers"):
        return "unified"
    return "hybrid" if exists(f"{tree}/unified/cgroup.controllers") else "legacy"


def _usage(slice_folder: str) -> Usage | None:
    current, stat = read_text(f"{slice_folder}/memory.current"), read_text(f"{slice_folder}/memory.stat")
    if not current or not stat:
        return None
    parts = dict(line.split() for line in stat.splitlines())
    return Usage(
        memory_max=_limit(f"{slice_folder}/memory.max"),
        swap_max=_limit(f"{slice_folder}/memory.swap.max"),
        in_use=max(0, int(current) - sum(int(parts.get(part, 0)) for part in RECLAIMABLE)),
    )


def _limit(path: str) -> int | None:
    limit = read_text(path).strip()
    return int(limit) if limit.isdecimal() else None


def _administrators(names: set[str], agents: frozenset[str]) -> dict[str, int]:
    for group in ADMINISTRATORS:
        names.update(group_members(group) or [])
    return {name: uid for uid, name in user_ids(sorted(names - agents)).items()}
