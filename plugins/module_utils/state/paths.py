# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What should stand at a path, and how that differs from what stands there.

Pure: used by the controller (compare with what was observed) and by the host (compare with what is there now), so
that both decide alike. Shapes: a *state* is a dictionary that JSON can hold, ``{"kind": "file", "sha256": …, "mode":
"0644", "owner": "root", "group": "root"}``; links have ``target`` instead of ``sha256`` and no mode; ``{"kind":
"absent"}`` stands alone. Modes are four octal digits, owners and groups are names (or numbers without a name). A wanted
file without ``sha256`` is one whose content is its users' business.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

State = dict[str, Any]
ABSENT: State = {"kind": "absent"}
TOO_LARGE = "too large to read"  # in the place of a sha256: no file of ours is, and a sparse one costs nothing to make

KINDS = ("file", "directory", "link", "absent")
MODE = re.compile(r"0[0-7]{3,4}")
COMPARED = {
    "file": ("kind", "sha256", "mode", "owner", "group"),
    "directory": ("kind", "mode", "owner", "group"),
    "link": ("kind", "target", "owner", "group"),
    "absent": ("kind",),
}


class StateError(ValueError):
    """A wanted entry that can't be meant; the message names the path and what is allowed."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wanted_state(entry: Mapping[str, Any]) -> State:
    """The state that an entry of ``host_state`` asks for. Raises StateError."""
    path = entry.get("path")
    if not isinstance(path, str) or not path.startswith("/") or os.path.normpath(path) != path or path == "/":
        raise StateError(
            f"path is {path!r}: an absolute, normalized path below / is needed, such as /opt/nova-agent/bin"
        )
    kind = entry.get("state") or "file"
    if kind not in KINDS:
        raise StateError(f"{path}: state is {kind!r}; allowed are {', '.join(KINDS)}")
    given = {name for name in ("content", "target", "mode", "validate") if entry.get(name) is not None}
    needed, allowed = {
        "file": ({"mode"}, {"content", "mode", "validate"}),
        "directory": ({"mode"}, {"mode"}),
        "link": ({"target"}, {"target"}),
        "absent": (set[str](), set[str]()),
    }[kind]
    if needed - given or given - allowed:
        raise StateError(
            f"{path}: state {kind} needs {' and '.join(sorted(needed)) or 'nothing else'}, "
            f"and was given {', '.join(sorted(given)) or 'none'}"
        )
    if kind == "absent":
        return dict(ABSENT)
    state: State = {"kind": kind, "owner": entry.get("owner") or "root", "group": entry.get("group") or "root"}
    if kind == "link":
        return {**state, "target": entry["target"]}
    mode = entry["mode"]
    if not isinstance(mode, str) or not MODE.fullmatch(mode):
        raise StateError(f'{path}: mode is {mode!r}; allowed is a quoted octal number such as "0644"')
    state["mode"] = f"{int(mode, 8):04o}"
    if kind == "file" and entry.get("content") is not None:
        state["sha256"] = sha256(entry["content"].encode())
    return state


def differences(wanted: State, found: State) -> list[str]:
    """The names of the attributes in which ``found`` is not as ``wanted``; empty where all is right."""
    return [name for name in COMPARED[wanted["kind"]] if name in wanted and wanted[name] != found.get(name)]


_KINDS = {"special": "device, socket or FIFO"}


def in_words(wanted: State, found: State, names: Sequence[str]) -> str:
    """``differences`` for people: "mode 0777, not 0755, other content"."""
    if "kind" in names:
        if found == ABSENT:
            return "is missing"
        leads = f" to {found['target']}" if "target" in found else ""
        there = f"is a {_KINDS.get(found['kind'], found['kind'])}{leads}"
        return f"{there}, and should not be there" if wanted == ABSENT else f"{there}, not a {wanted['kind']}"
    words = {"sha256": "other content", "target": f"leads to {found.get('target')}, not to {wanted.get('target')}"}
    return ", ".join(words.get(name) or f"{name} {found.get(name)}, not {wanted[name]}" for name in names)
