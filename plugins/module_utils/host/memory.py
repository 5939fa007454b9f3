# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Read the memory of a host and its limits from /proc, /sys and the cgroup tree below a given root.

The container's limit is the lowest limit on the path of PID 1. The path of the calling process would be wrong: its
session can be below the ceiling, and then each apply would lower the budget.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple, Optional, TypedDict

from .files import HostError, below, exists, read_needed
from .mounts import MOUNTINFO, read_mounts


class HostMemory(TypedDict):
    """Memory of a host, in bytes."""

    total: int  #: MemTotal.
    hugepages: int  #: Reserved huge pages of all sizes: part of MemTotal, but malloc does not use them.
    swap: int  #: SwapTotal.
    cgroup_limit: Optional[int]  #: The container's limit; None without one.
    cgroup_limit_file: Optional[str]  #: The file with this limit.


class Host(TypedDict):
    """The facts of a host that the budget needs."""

    memory: HostMemory
    cpus: int  #: CPUs that are online and that PID 1 may use. The affinity of the caller has no effect.


class CgroupTree(NamedTuple):
    """A version of cgroups that can limit memory."""

    filesystem: str
    controller: str  # its name in /proc/PID/cgroup; empty in version 2
    limit_file: str


CGROUP_TREES = (
    CgroupTree(filesystem="cgroup2", controller="", limit_file="memory.max"),
    CgroupTree(filesystem="cgroup", controller="memory", limit_file="memory.limit_in_bytes"),
)

# Version 1 shows "no limit" as the largest possible number, rounded down to the page size.
UNLIMITED_V1 = 1 << 62


class Limit(NamedTuple):
    """A limit in bytes, and its file."""

    size: int
    path: str


def read_host(root: str = "/") -> Host:
    """Read memory and CPUs of the host whose files are below ``root``.

    Raises HostError if a file is missing, can't be read or has an impossible value.
    """
    memory = _read_meminfo(root)
    limit = container_limit(root, memory["MemTotal"])
    return {
        "memory": {
            "total": memory["MemTotal"],
            "hugepages": memory["Hugetlb"],
            "swap": memory["SwapTotal"],
            "cgroup_limit": limit.size if limit else None,
            "cgroup_limit_file": limit.path if limit else None,
        },
        "cpus": count_cpus(root),
    }


def container_limit(root: str, total: int) -> Limit | None:
    """Find the lowest limit on PID 1's path, in the cgroup trees with the memory controller.

    ``total`` is MemTotal in bytes. A limit above it is an error, because one of both must be wrong. Limits outside of
    the container's cgroup namespace are not visible.
    """
    paths = _cgroup_paths(root)
    limits = []
    for tree in CGROUP_TREES:
        mounts = _mounts(root, tree)
        if mounts and tree.controller in paths:
            for folder in _folders(mounts, paths[tree.controller], below(root, MOUNTINFO)):
                limit = _read_limit(below(root, f"{folder}/{tree.limit_file}"), total)
                limits += [limit] if limit else []
    return min(limits) if limits else None


def count_cpus(root: str) -> int:
    """Count the CPUs that are online and that PID 1 may use."""
    online_file, status_file = below(root, "/sys/devices/system/cpu/online"), below(root, "/proc/1/status")
    allowed = re.search(r"^Cpus_allowed_list:(.*)$", read_needed(status_file), re.MULTILINE)
    if allowed is None:
        raise HostError(f"{status_file} has no line Cpus_allowed_list")
    cpus = _cpu_list(online_file, read_needed(online_file)) & _cpu_list(status_file, allowed[1])
    if not cpus:
        raise HostError(
            f"{status_file}: Cpus_allowed_list is {allowed[1].strip()!r}, none of which is in {online_file}"
        )
    return len(cpus)


def _read_meminfo(root: str) -> dict[str, int]:
    """MemTotal, SwapTotal and Hugetlb (all page sizes) in bytes."""
    path = below(root, "/proc/meminfo")
    lines = dict(line.split(":", 1) for line in read_needed(path).splitlines() if ":" in line)

    def kib(key: str) -> int:
        value = lines.get(key)
        match = re.fullmatch(r"([0-9]{1,15}) kB", value.strip()) if value is not None else None
        if match is None:
            shown = "missing" if value is None else repr(value.strip())
            raise HostError(f"{path}: {key} is {shown}; it must be a number of kB")
        return int(match[1]) << 10

    # In containers, /proc/meminfo can lack these lines.
    memory = {
        "MemTotal": kib("MemTotal"),
        "SwapTotal": kib("SwapTotal") if "SwapTotal" in lines else 0,
        "Hugetlb": kib("Hugetlb") if "Hugetlb" in lines else 0,
    }
    if memory["MemTotal"] == 0:
        raise HostError(f"{path}: MemTotal is '0 kB'; it must be more than 0")
    if memory["Hugetlb"] > memory["MemTotal"]:
        raise HostError(
            f"{path}: Hugetlb is {lines['Hugetlb'].strip()!r}, more than MemTotal, {lines['MemTotal'].strip()!r}"
        )
    return memory


def _cgroup_paths(root: str) -> dict[str, str]:
    """PID 1's path in each tree, by controller."""
    path = below(root, "/proc/1/cgroup")
    paths = {}
    for line in read_needed(path).splitlines():
        fields = line.split(":", 2)
        if len(fields) != 3 or not fields[2].startswith("/"):
            raise HostError(f"{path} has the line {line!r}; a line must be ID:CONTROLLERS:/PATH")
        paths.update(dict.fromkeys(fields[1].split(","), fields[2]))
    return paths


def _mounts(root: str, tree: CgroupTree) -> list[tuple[str, str]]:
    """The mounts of the tree, as (folder of the tree, mount point), the highest folder first."""
    path = below(root, MOUNTINFO)
    try:
        mounts = [
            (mount.folder, mount.point)
            for mount in read_mounts(path)
            if mount.filesystem == tree.filesystem and (not tree.controller or tree.controller in mount.options)
        ]
    except OSError as error:
        raise HostError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise HostError(
            f"{path} has the line {str(error)!r}; a line must have at least six fields, a dash, and three more fields"
        ) from None
    return sorted(mounts, key=lambda mount: len(mount[0]))


def _folders(mounts: list[tuple[str, str]], path: str, mountinfo: str) -> list[str]:
    """The folders from the top of the mounted tree to PID 1's own."""
    for top, point in mounts:
        # Compared as text: /../.. is above the cgroup namespace and must not be simplified to /.
        inside = path[len(top.rstrip("/")) :] if f"{path.rstrip('/')}/".startswith(f"{top.rstrip('/')}/") else "/.."
        parts = [part for part in inside.split("/") if part]
        if ".." not in parts:
            return [os.path.join(point, *parts[:depth]) for depth in range(len(parts) + 1)]
    raise HostError(
        f"{mountinfo} has {mounts[0][0]!r} of the cgroup tree on {mounts[0][1]}, but PID 1 is in {path!r}:"
        " its limit can't be seen"
    )


def _read_limit(path: str, total: int) -> Limit | None:
    """Read one limit. None if there is no limit, or if this folder has no memory controller."""
    if not exists(path):
        return None
    value = read_needed(path).strip()
    if value == "max" or (value.isdecimal() and int(value) >= UNLIMITED_V1):
        return None
    if not re.fullmatch(r"[0-9]{1,19}", value) or not 0 < int(value) <= total:
        raise HostError(f"{path} is {value!r}; allowed is 'max', or 1 to {total} bytes (the host's MemTotal)")
    return Limit(int(value), path)


def _cpu_list(path: str, text: str) -> set[int]:
    """Read the kernel's list format, such as 0-3,8."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        if match is None:
            raise HostError(f"{path} has {text.strip()!r}; a list of CPUs looks like 0-3,8")
        cpus.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return cpus
