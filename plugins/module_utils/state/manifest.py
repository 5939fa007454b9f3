# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The record of what this collection wrote on a host, by role: /var/lib/nova-agent/manifest.json.

Shape::

    {"collection": "nova.agent_host", "version": "0.1.0", "run": "5d0c…", "seal": "9b1f…",
     "roles": {"agent_limits": {"paths": {"/etc/…": {<state>, "before": <state>}}, "trees": ["/opt/…"]}}}

``before`` is what stood at the path before the first apply: taking the role out puts it back. Files that were
replaced are kept whole under ``originals/<sha256>`` beside the manifest. ``trees`` are folders that a module of
their own fills and empties (the toolchain). ``run`` names the last change, and ``seal`` the policy that the host holds
as a whole; each change breaks the seal.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.version import COLLECTION, VERSION

DEFAULT_PATH = "/var/lib/nova-agent/manifest.json"
LOCK = "/run/nova-agent.lock"
Paths = dict[str, dict[str, Any]]
Run = Mapping[str, str]  # an apply: its own ``token``, and ``seen``, the name of the last change when it looked


class ManifestError(ValueError):
    """The manifest can't be understood; the message names the file and what to do."""


@dataclass
class Manifest:
    """``roles`` maps a role's name to ``{"paths": {path: entry}, "trees": [path]}``."""

    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    run: str = ""
    seal: str = ""

    @classmethod
    def load(cls, path: str = DEFAULT_PATH) -> Manifest:
        try:
            with open(path, encoding="utf-8") as file:
                return cls.from_dict(json.load(file))
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(
                f"{path} can't be read as this collection's manifest ({error}): restore it from a backup, or move it "
                "away; then files of earlier applies are no longer known as ours, and retire leaves them"
            ) from error

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Manifest:
        return cls(
            {
                name: {"paths": dict(role["paths"]), "trees": list(role["trees"])}
                for name, role in data["roles"].items()
            },
            data.get("run", ""),
            data.get("seal", ""),
        )

    def to_dict(self) -> dict[str, Any]:
        roles = {name: self.roles[name] for name in sorted(self.roles) if any(self.roles[name].values())}
        return {"collection": COLLECTION, "version": VERSION, "run": self.run, "seal": self.seal, "roles": roles}

    def alone(self, run: Run) -> bool:
        """Whether nobody but ``run`` has changed the host since ``run`` looked at it."""
        return self.run in (run["token"], run["seen"])

    def save(self, path: str = DEFAULT_PATH, run: Run | None = None, seal: str = "") -> None:
        """Write the manifest whole; one that holds nothing is removed, with its folder where that is empty.

        Names the change for others. After a run that was not alone the name is nobody's: neither of the two may take
        what both have made for its own.
        """
        self.run = run["token"] if run is not None and self.alone(run) else uuid.uuid4().hex
        self.seal = seal
        data = self.to_dict()
        if not data["roles"]:
            for remove, name in ((os.unlink, path), (os.rmdir, os.path.dirname(path))):
                try:
                    remove(name)
                except OSError:
                    return  # not there, or the folder holds something of somebody else
            return
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        temporary = f"{path}.tmp"
        try:
            with open(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644),
                "w",
                encoding="utf-8",
            ) as file:
                os.fchmod(file.fileno(), 0o644)
                json.dump(data, file, indent=1, sort_keys=True)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary)
            raise OSError(error.errno, error.strerror, path) from error  # under the name that a user knows

    def paths(self, role: str) -> Paths:
        """The entries of a role, to be read and changed in place."""
        paths: Paths = self.roles.setdefault(role, {"paths": {}, "trees": []})["paths"]
        return paths

    def trees(self, role: str) -> list[str]:
        trees: list[str] = self.roles.setdefault(role, {"paths": {}, "trees": []})["trees"]
        return trees

    def add_tree(self, role: str, path: str) -> None:
        if path not in self.trees(role):
            self.trees(role).append(path)

    def drop_tree(self, role: str, path: str) -> None:
        if path in self.trees(role):
            self.trees(role).remove(path)

    def knows_content(self, path: str) -> bool:
        """Whether a record says what stands in the file ``path``, or there is none: else nobody need read it."""
        records = [role["paths"][path] for role in self.roles.values() if path in role["paths"]]
        return not records or any("sha256" in record or "sha256" in record["before"] for record in records)

    def holders(self, path: str) -> list[str]:
        """The roles that wrote ``path``."""
        return [name for name, role in self.roles.items() if path in role["paths"]]


@contextmanager
def locked() -> Iterator[None]:
    """Keep two controllers from changing one host at once; the kernel frees the lock of a killed run."""
    lock = _lock()
    try:
        yield
    finally:
        os.unlink(LOCK)  # so that nothing of ours is left; who waits for it sees that it is gone and takes a new one
        os.close(lock)


def _lock() -> int:
    while True:
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(lock), os.stat(LOCK)):
                return lock
        except FileNotFoundError:
            pass
        os.close(lock)
