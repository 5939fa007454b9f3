# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The runs on this machine, and their owners.

/run/nova-agent-test-hosts/         locked (flock on the directory itself) while runs are claimed or ended
    RUN/run.json                    the record: written before anything else of the run exists, removed last
    RUN/...                         key, inventory, logs
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .network import DEFAULT_RANGE, Subnet
from .shell import HostsError

ROOT = Path("/run/nova-agent-test-hosts")


@dataclasses.dataclass
class Record:
    """One run. It is abandoned if its owner has ended: first the process of `up`, later the process of --owner."""

    run: str
    subnet: int
    names: list[str]
    suite: str
    base: str
    overlays: str
    boot: str
    owner: tuple[int, str] | None = None  # pid and start time; None: the run stays until `down`
    ready: bool = False
    range: str = DEFAULT_RANGE

    @property
    def network(self) -> Subnet:
        return Subnet(self.range, self.subnet)

    @property
    def directory(self) -> Path:
        return ROOT / self.run

    def save(self) -> None:
        """Write the record completely or not at all."""
        self.directory.mkdir(mode=0o755, exist_ok=True)
        partial = self.directory / "run.json.partial"
        # Defaults are not written, so that other checkouts with an older version can read it.
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        content = {name: value for name, value in dataclasses.asdict(self).items() if value != defaults[name]}
        partial.write_text(json.dumps(content, indent=1))
        partial.rename(self.directory / "run.json")

    def owner_lives(self) -> bool:
        return self.owner is not None and process(self.owner[0]) == tuple(self.owner)

    def abandoned(self) -> bool:
        if self.boot != boot_id():  # the machine was restarted, so no process and no link of the run exists
            return True
        return self.owner is not None and not self.owner_lives()


def boot_id() -> str:
    """Return the identity of this machine's current boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def process(pid: int) -> tuple[int, str] | None:
    """Return a process as (pid, start time), which is unique. None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses can have any character
    return None if fields[0] == "Z" else (pid, fields[19])


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Lock the registry. An empty one is removed at the end."""
    descriptor = _lock()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            ROOT.rmdir()
        os.close(descriptor)


def _lock() -> int:
    while True:
        ROOT.mkdir(mode=0o755, exist_ok=True)
        try:
            descriptor = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # The last holder may have removed the file; then this lock has no effect.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), ROOT.stat()):
                return descriptor
        os.close(descriptor)


def load(run: str) -> Record | None:
    """Return the record of a run, or None."""
    try:
        content = json.loads((ROOT / run / "run.json").read_text())
    except FileNotFoundError:
        return None
    known = {field.name for field in dataclasses.fields(Record)}
    return Record(**{name: value for name, value in content.items() if name in known})


def get(run: str) -> Record:
    """Return the record of a run that is up. Raises HostsError if it is not."""
    record = load(run)
    if record is None or not record.ready:
        others = ", ".join(record.run for record in records() if record.ready) or "none"
        raise HostsError(f"run {run} is not up (up are: {others})")
    return record


def records() -> list[Record]:
    """Return all runs, of all users."""
    found = []
    for directory in sorted(ROOT.iterdir()) if ROOT.is_dir() else []:
        if directory.is_dir():
            record = load(directory.name)
            if record is not None:
                found.append(record)
    return found


def forget_unrecorded() -> None:
    """Remove leftovers of an `up` that was killed before it wrote its record. The registry must be locked."""
    for directory in ROOT.iterdir():
        if directory.is_dir() and not (directory / "run.json").exists():
            shutil.rmtree(directory)
