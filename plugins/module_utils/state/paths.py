# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The state of one path, and how two states differ. Used on the controller and on hosts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

KINDS = ("file", "directory", "link", "absent")
FOUND_KINDS = (*KINDS, "special", "unreadable")
MODE = re.compile(r"0[0-7]{3,4}")
TOO_LARGE = "too large to read"  # replaces a sha256: no file of ours is that large
COMPARED = {
    "file": ("kind", "sha256", "mode", "owner", "group"),
    "directory": ("kind", "mode", "owner", "group"),
    "link": ("kind", "target", "owner", "group"),
    "absent": ("kind",),
}


class StateError(ValueError):
    """An entry or a path that can't be used. The message names the path and what to do."""


class NotJudged(StateError):
    """The host can't check a file, because something else is wrong there. The message has the reason."""


@dataclass(frozen=True)
class PathState:
    """The state of a path, observed or desired. Empty strings mean "not set".

    If a desired file has no ``sha256``, its content belongs to users.
    """

    kind: str  #: file, directory, link, absent; found paths also special (device, socket, FIFO) or unreadable.
    mode: str = ""  #: Four octal digits. Links have none.
    owner: str = ""  #: A name, or the number if there is no name.
    group: str = ""
    sha256: str = ""
    target: str = ""  #: Of a link.
    why: str = ""  #: Of an unreadable path: the reason.

    def __post_init__(self) -> None:
        if self.kind not in FOUND_KINDS:
            raise ValueError(f"kind is {self.kind[:40]!r}; allowed are {', '.join(FOUND_KINDS)}")

    def to_dict(self) -> dict[str, str]:
        """Without empty values, as in the manifest and in answers of modules."""
        return {name: value for name, value in vars(self).items() if value}


ABSENT = PathState("absent")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def differences(wanted: PathState, found: PathState) -> list[str]:
    """The names of the attributes that differ; empty if ``found`` is compliant."""
    return [
        name
        for name in COMPARED[wanted.kind]
        if getattr(wanted, name) and getattr(wanted, name) != getattr(found, name)
    ]


def in_words(wanted: PathState, found: PathState, names: list[str]) -> str:
    """``differences`` as text: "mode 0777, not 0755, other content"."""
    if "kind" in names:
        if found == ABSENT:
            return "is missing"
        leads = f" to {found.target}" if found.target else ""
        there = f"is a {'device, socket or FIFO' if found.kind == 'special' else found.kind}{leads}"
        return f"{there}, and should not be there" if wanted == ABSENT else f"{there}, not a {wanted.kind}"
    words = {"sha256": "other content", "target": f"leads to {found.target}, not to {wanted.target}"}
    return ", ".join(words.get(name) or f"{name} {getattr(found, name)}, not {getattr(wanted, name)}" for name in names)
