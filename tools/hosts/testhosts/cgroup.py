# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The control groups of a run. If a group is killed, exactly its processes end.

    nova-agent-test-hosts/RUN/LEAF      one leaf for each host and for the proxy

A machine has only the unified hierarchy, or ("hybrid") also a hierarchy with the name systemd, which systemd-nspawn needs
as well.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from .shell import HostsError

TOP = "nova-agent-test-hosts"
_MOUNT = Path("/sys/fs/cgroup")
_END_SECONDS = 20.0


def unified() -> Path:
    """Return the root of the unified hierarchy, or raise HostsError."""
    for root in (_MOUNT, _MOUNT / "unified"):
        if (root / "cgroup.procs").exists() and (root / "cgroup.controllers").exists():
            return root
    raise HostsError(f"cgroup v2 is needed: neither {_MOUNT} nor {_MOUNT}/unified is one")


def _hierarchies() -> list[Path]:
    named = _MOUNT / "systemd"
    return [unified()] + ([named] if named.is_dir() else [])


def claim(run: str) -> None:
    """Create the groups of a run. The registry must be locked, or another run could remove TOP meanwhile."""
    kill = unified() / TOP / run / "cgroup.kill"
    try:
        for root in _hierarchies():
            (root / TOP / run).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostsError(f"this machine does not let root create control groups: {error}") from error
    if not kill.exists():
        raise HostsError("a kernel with cgroup.kill is needed: Linux 5.14 or newer")


def create(run: str, leaf: str) -> list[Path]:
    """Create a leaf in every hierarchy and return the directories."""
    top = unified() / TOP
    leaves = [root / TOP / run / leaf for root in _hierarchies()]
    for directory in leaves:
        directory.mkdir(exist_ok=True)
    for directory in (top, top / run):  # not the leaf, because a delegated group can't have processes
        _delegate(directory)
    return leaves


def _delegate(directory: Path) -> None:
    """Delegate all controllers, so that the host's systemd can set limits if the machine allows this."""
    for controller in (directory / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):  # a machine may forbid a controller; the host works without it
            (directory / "cgroup.subtree_control").write_text(f"+{controller}")


def end(run: str) -> None:
    """Kill all processes of a run and remove its control groups, if it has any."""
    deadline = time.monotonic() + _END_SECONDS
    while not _gone(run):
        if time.monotonic() > deadline:
            raise HostsError(f"processes of run {run} do not end: see {unified() / TOP / run}")
        time.sleep(0.02)
    for root in _hierarchies():
        with contextlib.suppress(OSError):  # missing, or used by another run
            (root / TOP).rmdir()


def _gone(run: str) -> bool:
    # Kill and remove in turns, because a new process can start between both.
    kill = unified() / TOP / run / "cgroup.kill"
    with contextlib.suppress(FileNotFoundError):
        kill.write_text("1")
    groups = [root / TOP / run for root in _hierarchies()]
    for group in groups:
        for directory in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                directory.rmdir()
        with contextlib.suppress(OSError):
            group.rmdir()
    return not any(group.exists() for group in groups)
