# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The record of what this collection wrote on a host, by role: /var/lib/nova-agent/manifest.json.

Shape::

    {"collection": "nova.agent_host", "version": "0.1.0",
     "roles": {"agent_limits": {"paths": {"/etc/…": {<state>, "before": <state>}}, "trees": ["/opt/…"],
                                "restarts": ["cron.service"]}}}

``before`` is the state of the path before the first apply; it is restored when the role is removed. Replaced files are
in ``originals/<sha256>`` beside the manifest. ``trees`` are folders that another module manages (the toolchain).
``restarts`` are units whose files changed and that were not restarted yet, because a run was killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..host.files import at_once, write_whole
from ..observed.decode import decode, decode_fields
from ..version import COLLECTION, VERSION
from .paths import ABSENT, KINDS, PathState

DEFAULT_PATH = "/var/lib/nova-agent/manifest.json"


class ManifestError(ValueError):
    """The manifest can't be read. The message names the file and what to do."""


@dataclass(frozen=True)
class Record:
    """One path of a role."""

    state: PathState  #: As the last apply wrote it.
    before: PathState = ABSENT  #: The state before the first apply.
    implied: bool = False  #: A parent folder that an apply had to create.
    kept: bool = False  #: No longer wanted, but left because it was edited.

    def __post_init__(self) -> None:
        for state in (self.state, self.before):
            if state.kind not in KINDS:
                raise ValueError(f"a record has the kind {state.kind!r}; allowed are {', '.join(KINDS)}")

    def to_dict(self) -> dict[str, Any]:
        flags = {name: True for name in ("implied", "kept") if getattr(self, name)}
        return {**self.state.to_dict(), "before": self.before.to_dict(), **flags}

    @classmethod
    def decode(cls, data: object, where: str) -> Record:
        """From one dictionary, as ``to_dict`` returns it. Raises DecodeError."""
        state: dict[Any, Any] = {**data} if isinstance(data, Mapping) else {}
        own = {name: state.pop(name) for name in ("before", "implied", "kept") if name in state}
        record: Record = decode_fields(cls, {"state": state, **own}, where)
        return record


@dataclass
class RoleRecord:
    paths: dict[str, Record] = field(default_factory=dict)
    trees: list[str] = field(default_factory=list)
    restarts: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.paths or self.trees or self.restarts)


@dataclass(frozen=True)
class _Answer:
    collection: str
    version: str
    roles: dict[str, RoleRecord]


@dataclass
class Manifest:
    roles: dict[str, RoleRecord] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str = DEFAULT_PATH) -> Manifest:
        """Raises ManifestError and OSError. Without a file the manifest is empty."""
        try:
            with open(path, encoding="utf-8", opener=at_once) as file:
                data = json.load(file)
            # Manifests of version 0.1.0 also have the keys ``run`` and ``seal``.
            return cls.decode({name: data[name] for name in ("collection", "version", "roles")}, "it")
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except (ValueError, KeyError, TypeError, IsADirectoryError) as error:
            raise ManifestError(
                f"{path} is not a manifest of this collection ({error}): restore it from a backup, or move it away; "
                "then the files of earlier applies are unknown, and retire leaves them"
            ) from error

    @classmethod
    def decode(cls, data: object, where: str) -> Manifest:
        """Raises DecodeError. The answer of a host is not trusted."""
        roles = decode(_Answer, data, where).roles
        return cls({name: role for name, role in roles.items() if not role.empty})

    def to_dict(self) -> dict[str, Any]:
        return {
            "collection": COLLECTION,
            "version": VERSION,
            "roles": {
                name: {
                    "paths": {path: record.to_dict() for path, record in sorted(role.paths.items())},
                    "trees": role.trees,
                    "restarts": role.restarts,
                }
                for name, role in sorted(self.roles.items())
                if not role.empty
            },
        }

    def save(self, path: str = DEFAULT_PATH) -> None:
        """Write the manifest completely or not at all. An empty manifest is removed, with its folder if it is empty."""
        data = self.to_dict()
        folder = os.path.dirname(path)
        if not data["roles"]:
            for remove, name in ((os.unlink, path), (os.rmdir, folder)):
                try:
                    remove(name)
                except OSError:
                    return  # missing, or the folder has other files
            return
        if not os.path.isdir(folder):
            os.makedirs(folder)
            os.chmod(folder, 0o755)  # independent of the umask: agent-status reads it
        write_whole(path, f"{json.dumps(data, indent=1, sort_keys=True)}\n".encode())

    def role(self, name: str) -> RoleRecord:
        """The record of a role, which callers may change."""
        return self.roles.setdefault(name, RoleRecord())

    def records(self) -> list[tuple[str, Record]]:
        return [item for role in self.roles.values() for item in role.paths.items()]

    def knows_content(self, path: str) -> bool:
        """Whether the content of ``path`` is compared: a record has its sha256, or there is no record."""
        records = [record for name, record in self.records() if name == path]
        return not records or any(record.state.sha256 or record.before.sha256 for record in records)

    def holders(self, path: str) -> list[str]:
        """The roles that wrote ``path``."""
        return [name for name, role in self.roles.items() if path in role.paths]

    @property
    def trees(self) -> list[str]:
        return [tree for role in self.roles.values() for tree in role.trees]
