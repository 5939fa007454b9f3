# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What stands at a path, what should stand there, and how the two differ.

Pure: used by the controller (compare with what was observed) and by the host (compare with what is there now), so
that both decide alike. Shapes: a *state* is a dictionary that JSON can hold, ``{"kind": "file", "sha256": …, "mode":
"0644", "owner": "root", "group": "root"}``; links have ``target`` instead of ``sha256`` and no mode; ``{"kind":
"absent"}`` stands alone. Modes are four octal
digits, owners and groups are names (or numbers without a name). A wanted file without ``sha256`` is one whose content
is its users' business.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import re
import stat
from collections.abc import Mapping
from typing import Any

State = dict[str, Any]
ABSENT: State = {"kind": "absent"}

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


def owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def observe(path: str, dir_fd: int | None = None) -> State:
    """The state of ``path`` itself (links are not followed). Raises OSError where it can't be read."""
    try:
        found = os.lstat(path) if dir_fd is None else os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return dict(ABSENT)
    state: State = {"owner": owner_name(found.st_uid), "group": group_name(found.st_gid)}
    if stat.S_ISLNK(found.st_mode):
        return {"kind": "link", "target": os.readlink(path, dir_fd=dir_fd), **state}
    state["mode"] = f"{stat.S_IMODE(found.st_mode):04o}"
    if stat.S_ISDIR(found.st_mode):
        return {"kind": "directory", **state}
    if not stat.S_ISREG(found.st_mode):
        return {"kind": "special", **state}  # a device, socket or FIFO: never opened, never replaced
    return {"kind": "file", "sha256": sha256(read(path, dir_fd)), **state}


def read(path: str, dir_fd: int | None = None) -> bytes:
    """The bytes of a regular file, never through a link."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd), "rb") as file:
        return file.read()


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
