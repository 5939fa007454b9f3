# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The desired state of a host, as the features of the roles describe it. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Optional, Union

from ..state.paths import ABSENT, KINDS, MODE, PathState, StateError, sha256

Value = Union[str, int, bool, None]
NOT_JUDGED = 75  # status of a validating command: something else on the host is wrong, so the file is left out


@dataclass(frozen=True)
class Template:
    """A file that the controller renders with ``context`` if it is a template, and otherwise copies.

    ``name`` is a variable, such as agent_limits_template, so that users may set another file; or a path below roles/,
    such as agent_hygiene/files/agent-sweep.
    """

    name: str
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Library:
    """The module ``module`` of module_utils, such as status.command, with all its imports, below ``folder``."""

    module: str
    folder: str


@dataclass(frozen=True)
class Entry:
    """One path. If ``content`` of a file is None, the collection does not manage its content."""

    path: str
    kind: str = "file"  #: file, directory, link or absent.
    content: Optional[Union[str, Template]] = None
    target: str = ""  #: Of a link.
    mode: str = ""  #: Four octal digits; links have none.
    owner: str = "root"
    group: str = "root"
    validate: str = ""  #: A command with %s that fails for a wrong file, or ends with NOT_JUDGED.
    diff: bool = True  #: False: the content is not shown in diffs.
    foreign: bool = False  #: In a folder that others may write: done last, with the rights of the folder's owner.

    @property
    def state(self) -> PathState:
        if self.kind == "absent":
            return ABSENT
        if isinstance(self.content, Template):
            raise TypeError(f"{self.path} is not rendered yet")
        content = self.content if self.kind == "file" else None
        return PathState(
            self.kind,
            mode=self.mode,
            owner=self.owner,
            group=self.group,
            sha256="" if content is None else sha256(content.encode()),
            target=self.target,
        )

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Entry:
        """An entry of the module host_state. Raises StateError."""
        known = {item.name for item in fields(cls)}
        entry = cls(**{name: value for name, value in data.items() if name in known and value is not None})
        path = entry.path
        if not path.startswith("/") or os.path.normpath(path) != path or path == "/":
            raise StateError(f"path is {path!r}; allowed is an absolute, normalized path, such as /opt/nova-agent/bin")
        if entry.kind not in KINDS:
            raise StateError(f"{path}: kind is {entry.kind!r}; allowed are {', '.join(KINDS)}")
        if entry.kind in ("file", "directory") and not MODE.fullmatch(entry.mode):
            raise StateError(f'{path}: mode is {entry.mode!r}; allowed is a quoted octal number such as "0644"')
        if entry.kind == "link" and not entry.target:
            raise StateError(f"{path}: a link needs a target")
        return entry


@dataclass(frozen=True)
class Unit:
    """A systemd unit that files of the collection create or change."""

    name: str
    own: bool = False  #: The unit's main file is from the collection, not only a drop-in.
    active: bool = False  #: It must be enabled and running, as timers. It is restarted if its files change.
    restart: bool = False  #: If it runs, it is restarted when its files change.
    reload: bool = False  #: If it runs, it is reloaded when its configuration changes.
    reload_on: tuple[str, ...] = ()  #: If these paths change, it is reloaded; it is never restarted.
    limited: bool = False  #: It must run with the limits of agents.


@dataclass(frozen=True)
class Condition:
    """A property that only a running host shows. It is compliant if ``found`` equals ``expected``."""

    kind: str
    name: str
    expected: Value
    found: Value  #: None: not known, and ``why`` has the reason.
    why: str  #: A text for people if it is not compliant.
    differs: str = "kind"  #: What differs, for programs.
    reload: bool = False  #: systemctl daemon-reload corrects it.
    restart: str = ""  #: A restart of this unit, if it runs, corrects it.
    setting: bool = False  #: It is a kernel setting: writing ``expected`` corrects it.
    by_hand: bool = False  #: Only an operator can correct it.


@dataclass(frozen=True)
class Conditions:
    """What an apply has to correct beside files and units."""

    reload: bool = False  #: systemctl daemon-reload.
    restarts: tuple[str, ...] = ()  #: Units, if they run.
    settings: Mapping[str, int] = field(default_factory=dict)  #: Of the kernel, by name.


@dataclass(frozen=True)
class Note:
    """Useful information about the host that is not part of the policy."""

    kind: str
    name: str
    text: str


@dataclass(frozen=True)
class Wanted:
    """The desired state of one host for one role."""

    role: str
    entries: tuple[Entry, ...] = ()
    units: tuple[Unit, ...] = ()
    conditions: tuple[Condition, ...] = ()
    notes: tuple[Note, ...] = ()
    libraries: tuple[Library, ...] = ()

    @property
    def states(self) -> dict[str, PathState]:
        """The desired state of each path. All entries have to be rendered."""
        return {entry.path: entry.state for entry in self.entries}
