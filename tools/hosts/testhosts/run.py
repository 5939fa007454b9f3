# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Start and end runs. To end a run, its record is sufficient, also after an incomplete start."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
from pathlib import Path
from types import FrameType

from . import base, cgroup, inventory, machine, network, proxy, registry
from . import suite as suites
from .host import Host, create_identity
from .network import Subnet
from .registry import Record
from .shell import HostsError, say

_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_NEEDED = 4096  # each systemd uses about five, and all belong to root; the default is 128
_INOTIFY_BEFORE = registry.ROOT / "max_user_instances"


def up(run: str, names: list[str], owner: int | None, allow: list[str]) -> Record:
    """Start a run. Returns its record when user ubuntu can log in to every host. After a failure nothing is left."""
    _check_names(run, names)
    owner_process = None if owner is None else registry.process(owner)
    if owner is not None and owner_process is None:
        raise HostsError(f"there is no process {owner} to own the run")
    machine.require()
    suite = suites.chosen()
    image = base.ensure(suite)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    record = _claim(run, names, suite, image)
    try:
        _start(record, allow)
    except BaseException:
        with registry.locked():
            end(record)
        raise
    record.owner, record.ready = owner_process, True
    record.save()
    return record


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _check_names(run: str, names: list[str]) -> None:
    for name in (run, *names):
        if not _NAME.fullmatch(name):
            raise HostsError(
                f"name {name!r}: allowed are at most 24 lower-case letters, digits and '-', with a letter first"
            )
    if len(set(names)) != len(names):
        raise HostsError(f"host names must differ: {' '.join(names)}")
    if not 1 <= len(names) <= network.MOST_HOSTS:
        raise HostsError(f"{len(names)} hosts: 1 to {network.MOST_HOSTS} are possible")


def _claim(run: str, names: list[str], suite: str, image: Path) -> Record:
    with registry.locked():
        reap()
        if registry.load(run) is not None:
            raise HostsError(f"run {run} exists already: end it (down {run}) or choose another name")
        subnet = _free_subnet()
        record = Record(
            run=run,
            range=subnet.range,
            subnet=subnet.number,
            names=names,
            suite=suite,
            base=str(image),
            overlays=str(base.cache() / "runs" / run),
            boot=registry.boot_id(),
            owner=registry.process(os.getpid()),
        )
        record.save()
        cgroup.claim(run)
        _raise_inotify()
        network.up(subnet)
    return record


def _free_subnet() -> Subnet:
    wanted = os.environ.get("TEST_HOSTS_RANGE") or network.DEFAULT_RANGE
    taken = {
        record.subnet for record in registry.records()
    }  # for all ranges, because the name of a bridge has only this number
    # Random, so that a client with a connection to a host of the last run does not reach the next one.
    candidates = random.sample(range(1, 255), 254)
    for subnet in (Subnet(wanted, number) for number in candidates if number not in taken):
        if network.is_free(subnet):
            return subnet
    raise HostsError(f"all subnets of {wanted}.0.0/16 are in use")


def _start(record: Record, allow: list[str]) -> None:
    directory = record.directory
    create_identity(directory, int(os.environ.get("SUDO_UID", "0")), int(os.environ.get("SUDO_GID", "0")))
    sources = suites.sources(record.suite)
    built_with = (Path(record.base) / "etc/apt/sources.list").read_text().splitlines()
    servers = suites.servers(sources or built_with) + allow
    proxy.start(record.run, record.network, directory, servers, suites.upstream_proxy())
    # Leftovers of a run whose record was lost by a restart of the machine.
    shutil.rmtree(record.overlays, ignore_errors=True)
    keepers = []
    for host in hosts(record):
        host.prepare(sources, proxy.url(record.network))
        keepers.append((host, host.start()))
    for host, keeper in keepers:
        host.await_login(keeper)
    inventory.write(record, hosts(record))


def hosts(record: Record) -> list[Host]:
    """Return the hosts of a run."""
    return [
        Host(
            run=record.run,
            subnet=record.network,
            index=index,
            name=name,
            base=Path(record.base),
            disk=Path(record.overlays) / name,
            directory=record.directory,
        )
        for index, name in enumerate(record.names)
    ]


def down(run: str) -> bool:
    """End a run; False if it does not exist. Also removes leftovers of killed commands of other runs."""
    with registry.locked():
        reap()
        record = registry.load(run)
        if record is None:
            return False
        if not record.ready:
            assert record.owner is not None
            raise HostsError(f"process {record.owner[0]} is still starting run {run}: end that process first")
        end(record)
        return True


def reap() -> None:
    """End all runs that are abandoned. The registry must be locked."""
    registry.forget_unrecorded()
    for record in registry.records():
        if record.abandoned():
            say(f"ending the abandoned run {record.run}")
            end(record)
    _restore_inotify()


def end(record: Record) -> None:
    """Remove everything of a run, the record last. The registry must be locked."""
    cgroup.end(record.run)
    network.down(record.network)
    overlays = Path(record.overlays)
    if overlays.exists():
        shutil.rmtree(overlays)
    if overlays.parent.is_dir() and not any(overlays.parent.iterdir()):
        overlays.parent.rmdir()
    shutil.rmtree(record.directory)
    _restore_inotify()


def _raise_inotify() -> None:
    before = _INOTIFY.read_text()
    if int(before) < _INOTIFY_NEEDED:
        _INOTIFY_BEFORE.write_text(before)
        _INOTIFY.write_text(str(_INOTIFY_NEEDED))


def _restore_inotify() -> None:
    if registry.records() or not _INOTIFY_BEFORE.exists():
        return
    if int(_INOTIFY.read_text()) == _INOTIFY_NEEDED:  # otherwise another program changed it
        _INOTIFY.write_text(_INOTIFY_BEFORE.read_text())
    _INOTIFY_BEFORE.unlink()
