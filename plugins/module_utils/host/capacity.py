# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read the limits other than memory that bound the number of agents, from files below a given root."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterable

from ..desired.units import CONFIGURATION, FOLDERS
from ..observed.shapes import Capacity, Given, Setting
from .files import find, read_text
from .kernel import drop_ins, observe_kernel
from .members import user_ids
from .pam import LIMITS
from .sshd import observe_sshd

LOGIND = "/etc/systemd/logind.conf"
CAP_SYS_RESOURCE = 24


def observe_capacity(root: str = "/", agents: Iterable[str] = ()) -> Capacity:
    kernel = observe_kernel(root)
    logind = [f"{folder}/systemd/logind.conf.d" for folder in CONFIGURATION]
    return Capacity(
        kernel=kernel,
        open_files=_open_files(kernel.get("fs.nr_open"), root),
        hard_limits={} if _may_raise(root) else _hard_limits(),
        most_tasks=_most_tasks(kernel, root),
        user_tasks=_given("TasksMax", drop_ins(_folders("user-.slice.d"), root), root),
        own_tasks=_own_tasks(agents, root),
        sessions=_given("SessionsMax", [LOGIND, *drop_ins(logind, root)], root),
        sshd=observe_sshd(root),
    )


def _open_files(nr_open: Setting | None, root: str) -> int | None:
    """The highest limit of open files that root's PAM can set for a login: fs.nr_open. In most containers root can't
    raise limits; then it is root's own limit."""
    hard, may_raise = resource.getrlimit(resource.RLIMIT_NOFILE)[1], _may_raise(root)
    if nr_open is None or (hard == resource.RLIM_INFINITY and not may_raise):
        return None if hard == resource.RLIM_INFINITY else hard
    return nr_open.now if may_raise else min(hard, nr_open.now)


def _may_raise(root: str) -> bool:
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", read_text("/proc/self/status", root), re.MULTILINE)
    return bool(match and int(match[1], 16) >> CAP_SYS_RESOURCE & 1)


def _hard_limits() -> dict[str, int]:
    """Root's own hard limits, by their names in limits.conf."""
    found = {item: resource.getrlimit(number)[1] for item, number in LIMITS.items() if item != "nofile"}
    return {item: hard for item, hard in found.items() if hard != resource.RLIM_INFINITY}


def _most_tasks(kernel: dict[str, Setting], root: str) -> int | None:
    known = [kernel[name].now for name in ("kernel.pid_max", "kernel.threads-max") if name in kernel]
    pids = read_text("/sys/fs/cgroup/pids.max", root).strip()  # the limit of a container
    return min([*known, *([int(pids)] if pids.isdecimal() else [])], default=None)


def _folders(*names: str) -> list[str]:
    """The folders of drop-ins of a slice. Those of all slices come last."""
    own = [f"{folder}/{name}" for folder in FOLDERS for name in names]
    return [*own, *(f"{folder}/slice.d" for folder in FOLDERS)]


def _own_tasks(agents: Iterable[str], root: str) -> dict[str, Given]:
    """By account: TasksMax in a drop-in of its own slice that is read after those of all accounts."""
    own = {os.path.basename(path) for folder in FOLDERS for path in find(f"{folder}/user-*.slice.d", root)}
    found = {}
    for uid, name in user_ids(agents).items() if own else ():
        drops = f"user-{uid}.slice.d"
        if drops in own:
            paths = drop_ins(_folders(drops, "user-.slice.d"), root)
            given = _given("TasksMax", paths, root)
            if given and f"/{drops}/" in given[-1].path:
                found[name] = given[-1]
    return found


def _given(key: str, paths: Iterable[str], root: str) -> list[Given]:
    found = []
    for path in paths:
        found += [
            Given(path, value)
            for value in re.findall(rf"^[ \t]*{key}[ \t]*=[ \t]*(\S*)[ \t\r]*$", read_text(path, root), re.MULTILINE)
        ]
    return found
