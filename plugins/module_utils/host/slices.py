# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Settings of others for the slices and services of users. Reads files below a given root."""

from __future__ import annotations

import os
import re

from ..desired.units import CONTROL, DROP_IN, FOLDERS
from .files import below, exists, find, read_text

OOMD = "sys/fs/cgroup/system.slice/systemd-oomd.service"
# slice.d and service.d are for all slices and services.
OF_USERS = ("-.slice", "user.slice", "user-.slice", "user@.service", "slice", "service")

_KILL = re.compile(r"^\s*ManagedOOM(?:Swap|MemoryPressure)\s*=\s*kill\s*$", re.MULTILINE)
_LIMIT = re.compile(r"^\s*(?:Memory(?:Max|High|SwapMax|Min)|TasksMax)\s*=", re.MULTILINE)


def observe_oomd(root: str = "/") -> list[str]:
    """The files that allow systemd-oomd to kill sessions of users. Empty if systemd-oomd does not run."""
    if not exists(OOMD, root):
        return []
    found = []
    for folder in (*FOLDERS, *CONTROL):
        for unit in OF_USERS:
            for pattern in (unit, f"{unit}.d/*.conf"):
                found += [path for path in _files(folder, pattern, root) if _KILL.search(read_text(path, root))]
    return sorted(set(found))


def observe_overrides(root: str = "/") -> dict[str, list[str]]:
    """Files that override this collection's drop-ins, for slices and managers of users, by unit.

    Those of `systemctl set-property`, and drop-ins of user.slice with limits whose name comes after ours.
    """
    found: dict[str, list[str]] = {}
    for folder in CONTROL:
        for path in _files(folder, "user*.d/*.conf", root):
            unit = os.path.basename(os.path.dirname(path))[: -len(".d")]
            if re.fullmatch(r"user(-.*)?\.slice|user@.*\.service", unit):
                found.setdefault(unit, []).append(path)
    for folder in FOLDERS:
        for drops in ("user.slice.d", "slice.d"):
            for path in _files(folder, f"{drops}/*.conf", root):
                if os.path.basename(path) > DROP_IN and _LIMIT.search(read_text(path, root)):
                    found.setdefault("user.slice", []).append(path)
    return found


def _files(folder: str, pattern: str, root: str) -> list[str]:
    if folder.startswith("/lib/") and os.path.islink(below(root, "/lib")):
        return []  # they are in /usr/lib as well
    return find(f"{folder}/{pattern}", root)
