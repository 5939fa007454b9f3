# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read the state of a toolchain tree. Nothing is executed or downloaded.

A tree ``/opt/nova-agent/toolchain`` is a link to one *generation* in the folder ``/opt/nova-agent/.toolchain`` beside
it. A generation never changes after the installation. Its ``receipt.json`` has the request, and kind, mode, owner, size
and time of every file, so that a look needs one lstat for each file.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict

from ..host.processes import programs
from ..observed.decode import decode
from ..observed.shapes import InstalledToolchain, ToolchainTree
from ..text import and_more, safe_text
from .request import Toolchain, installed, short_names

RECEIPT = "receipt.json"
LOCK = "lock"
PYTHON_CACHE = "__pycache__"  # created if root runs rust-gdb; ignored


class Receipt(TypedDict):
    """``receipt.json`` of a generation."""

    request: dict[str, Any]  #: The result of Request.to_dict.
    toolchains: list[dict[str, Any]]  #: The keys of InstalledToolchain.
    files: dict[str, str]  #: Path below the generation to its line, see ``fingerprint``.


@dataclass
class Inspection:
    """``damaged``: path below the generation to its problem. ``broken``: problems of the tree itself.

    ``leftovers``: unused generations. ``in_use``: old generations in which programs still run.
    """

    tree: str
    generation: str | None = None
    receipt: Receipt | None = None
    damaged: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    in_use: list[str] = field(default_factory=list)
    busy: bool = False

    @property
    def toolchains(self) -> list[Toolchain]:
        """The installed toolchains; empty without a receipt."""
        return installed(self.receipt["toolchains"]) if self.receipt else []

    @property
    def problems(self) -> list[str]:
        """One line for each problem, the worst first; empty if there are none."""
        lines = self.broken + [
            f"{os.path.join(self.generation or '', path)}: {what}"
            for path, what in sorted(self.damaged.items())
            if self.damaged.get(os.path.dirname(path)) != what  # a missing folder stands for its files
        ]
        return and_more(lines) + [f"{path}: left by an earlier or interrupted run" for path in self.leftovers]

    def intact(self, path: str) -> bool:
        """Whether ``path`` and everything below it are unchanged since the installation."""
        if self.receipt is None or path not in self.receipt["files"]:
            return False
        return not any(bad == path or bad.startswith(f"{path}/") or path.startswith(f"{bad}/") for bad in self.damaged)

    def observed(self) -> ToolchainTree:
        """The part that the controller compares."""
        return ToolchainTree(
            present=self.generation is not None,
            request=json.dumps(self.receipt["request"], sort_keys=True) if self.receipt else "",
            toolchains=_entries(self.receipt) if self.receipt else [],
            problems=[safe_text(problem, 1000) for problem in self.problems],
            in_use=[safe_text(path, 1000) for path in self.in_use],
            busy=self.busy,
        )


def _entries(receipt: Receipt) -> list[InstalledToolchain]:
    """The toolchains of a receipt, in the form that the controller accepts. Raises DecodeError."""
    names = [item.name for item in fields(InstalledToolchain)]
    return [
        decode(InstalledToolchain, {name: one[name] for name in names if name in one}, RECEIPT)
        for one in receipt["toolchains"]
    ]


def generations_folder(tree: str) -> str:
    return os.path.join(os.path.dirname(tree), f".{os.path.basename(tree)}")


def observe_toolchain(tree: str) -> ToolchainTree:
    """The state of ``tree``. A file that can't be read is a problem, not an error."""
    return inspect(tree).observed()


def inspect(tree: str, own_lock: bool = False) -> Inspection:
    """Compare ``tree`` with its receipt. ``own_lock``: the caller itself has the lock."""
    found = Inspection(tree)
    folder = generations_folder(tree)
    if os.path.islink(folder):
        found.broken.append(f"{folder}: a link, not a folder")
        return found
    if os.path.lexists(tree):
        name = os.readlink(tree) if os.path.islink(tree) else ""
        if os.path.dirname(name) == os.path.basename(folder) and os.path.isdir(
            os.path.join(folder, os.path.basename(name))
        ):
            found.generation = os.path.join(folder, os.path.basename(name))
            _compare(found, found.generation)
            _check_owners(found, folder)
        else:
            remedy = "" if name else ", and not replaced: move it away"
            found.broken.append(f"{tree}: not a link to a generation in {folder}{remedy}")
    _look_beside(found, folder, own_lock)
    return found


def fingerprint(root: str) -> dict[str, str]:
    """One line for each path below ``root`` and for ``root`` (``.``): kind, owner, mode, size and time or target."""
    lines = {".": _line(root)}
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(os.path.join(root, below)) as entries:
            for entry in entries:
                path = os.path.join(below, entry.name)
                if path == RECEIPT or entry.name == PYTHON_CACHE:
                    continue
                lines[path] = _line(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
    return lines


def _line(path: str) -> str:
    found = os.lstat(path)
    owner = f"{found.st_uid}:{found.st_gid}"
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    if stat.S_ISLNK(found.st_mode):
        return f"link {owner} {os.readlink(path)}"
    if stat.S_ISDIR(found.st_mode):
        return f"directory {owner} {mode}"
    if stat.S_ISREG(found.st_mode):
        return f"file {owner} {mode} {found.st_size} {int(found.st_mtime)}"  # archives have whole seconds
    return f"special {owner} {mode}"


def _whole_seconds(line: str) -> str:
    """A line of a receipt, with nanoseconds if an older version wrote it."""
    kind, *_middle, last = line.split(" ")
    return f"{line[: -len(last)]}{int(last) // 10**9}" if kind == "file" and len(last) > 12 else line


def difference(wanted: str, found: str) -> str:
    """The difference of two lines of a fingerprint, as text."""
    kind = wanted.split(" ", 1)[0]
    names = ("kind", "owner", "target") if kind == "link" else ("kind", "owner", "mode", "size", "time")
    was, now = (line.split(" ", len(names) - 1) for line in (wanted, found))
    if was[0] != now[0]:
        return f"is a {now[0]}, not a {was[0]}"
    differs = [
        "changed since the installation" if name == "time" else f"{name} {is_now}, not {should}"
        for name, should, is_now in zip(names, was, now)
        if should != is_now
    ]
    return ", ".join(differs)


def _compare(found: Inspection, generation: str) -> None:
    try:
        with open(os.path.join(generation, RECEIPT), encoding="utf-8") as file:
            owner = os.fstat(file.fileno())
            receipt: Receipt = json.load(file)
        wanted = {path: _whole_seconds(line) for path, line in receipt["files"].items()}
        now = fingerprint(generation)
        request, toolchains = receipt["request"], receipt["toolchains"]
        if not isinstance(request, Mapping):
            raise ValueError("unexpected content")
        installed(toolchains)
        _entries(receipt)
        # Older versions did not create the short names.
        for pin in toolchains[:1]:
            name, triple = pin["name"], pin["name"][len(pin["channel"]) :]
            for short in short_names(pin["channel"]):
                wanted.setdefault(f"rustup/toolchains/{short}{triple}", f"link 0:0 {name}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        found.broken.append(f"{os.path.join(generation, RECEIPT)}: can't be read ({reason})")
        return
    found.receipt = receipt
    if (owner.st_uid, stat.S_IMODE(owner.st_mode)) != (int(wanted["."].split()[1].split(":")[0]), 0o644):
        found.broken.append(f"{os.path.join(generation, RECEIPT)}: owner or mode is wrong")
    for path in wanted.keys() | now.keys():
        if path not in now:
            found.damaged[path] = "is missing"
        elif path not in wanted:
            found.damaged[path] = "does not belong here"
        elif wanted[path] != now[path]:
            found.damaged[path] = difference(wanted[path], now[path])


def _check_owners(found: Inspection, folder: str) -> None:
    """The owner of the link or of the folder of generations can replace the toolchain, so it must be root."""
    owner = found.receipt["files"].get(".", "").split()[1:2] if found.receipt else []
    for path in (found.tree, folder, os.path.join(folder, LOCK)) if owner else ():
        if os.path.lexists(path):
            now = os.lstat(path)
            if f"{now.st_uid}:{now.st_gid}" != owner[0]:
                found.broken.append(f"{path}: owner {now.st_uid}:{now.st_gid}, not {owner[0]}")


def _look_beside(found: Inspection, folder: str, own_lock: bool) -> None:
    """Find other generations, and whether an installation is running."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        found.broken.append(f"{folder}: {error.strerror}")
        return
    mode = os.lstat(folder).st_mode
    if found.generation and stat.S_IMODE(mode) != 0o755:
        found.broken.append(f"{folder}: mode {stat.S_IMODE(mode):04o}, not 0755")
    others = [os.path.join(folder, name) for name in names if name != LOCK]
    others = [path for path in others if path != found.generation]
    if not others:
        return
    found.busy = not own_lock and is_locked(os.path.join(folder, LOCK))
    used = used_generations(folder)
    for path in others:
        if os.path.basename(path) in used:
            found.in_use.append(path)
        elif not found.busy:  # the new generation of a running installation is not a leftover
            found.leftovers.append(path)


def generations_in_use(tree: str) -> list[str]:
    """The generations of ``tree``, including the current one, in which programs run now."""
    folder = generations_folder(tree)
    if not os.path.isdir(folder):
        return []
    used = used_generations(folder)
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name in used]


def is_locked(path: str) -> bool:
    """Whether a process has the lock ``path`` now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def used_generations(folder: str) -> set[str]:
    """The names in ``folder`` below which programs run. A running cargo needs its generation, because it starts rustc
    from it."""
    real = f"{os.path.realpath(folder)}/"
    return {path[len(real) :].partition("/")[0] for _pid, path in programs() if path.startswith(real)}
