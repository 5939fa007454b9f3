# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Kernel settings: read the values in force and in files, and set values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from ..desired.sysctl import FILE, LARGEST, assignments, noted
from ..desired.units import CONFIGURATION
from ..observed.shapes import Setting
from ..state.paths import StateError
from .files import below, find, read_text


def observe_kernel(root: str = "/") -> dict[str, Setting]:
    """All settings of LARGEST that this kernel has."""
    own = read_text(FILE, root)
    ours, before = assignments(own), noted(own)
    earlier: dict[str, int] = {}
    later: dict[str, tuple[int, str]] = {}
    for path in drop_ins([f"{folder}/sysctl.d" for folder in CONFIGURATION], root):
        if path == FILE:
            continue
        values = assignments(read_text(path, root))
        if os.path.basename(path) < os.path.basename(FILE):
            earlier.update(values)
        else:
            later.update({name: (value, path) for name, value in values.items()})
    lowered = {name: path for name, (value, path) in later.items() if value < ours.get(name, LARGEST[name])}
    return {
        name: Setting(now, writable, ours.get(name), before.get(name), earlier.get(name), lowered.get(name, ""))
        for name, now, writable in _in_force(root)
    }


def drop_ins(folders: Sequence[str], root: str = "/") -> list[str]:
    """The files *.conf of several folders in the order in which systemd reads them: by name. A file hides files of the
    same name in later folders."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in find(f"{folder}/*.conf", root):
            found.setdefault(os.path.basename(path), path)
    return [found[name] for name in sorted(found)]


def set_settings(settings: Mapping[str, int], root: str = "/") -> list[str]:
    """Set each setting, and return what was done. Raises StateError."""
    done = []
    for name, value in sorted(settings.items()):
        if name not in LARGEST:
            raise StateError(f"{name} is not one of the kernel settings of this collection: {', '.join(LARGEST)}")
        try:
            with open(below(root, _path(name)), "w", encoding="ascii") as file:
                file.write(f"{int(value)}\n")
        except (OSError, ValueError) as error:
            raise StateError(f"{name} can't be set to {value}: {error}") from error
        done.append(f"set {name} = {value}")
    return done


def _in_force(root: str) -> Iterator[tuple[str, int, bool]]:
    for name, largest in LARGEST.items():
        value = read_text(_path(name), root).strip()
        if value.isdecimal():  # otherwise this kernel does not have it
            yield name, min(int(value), largest), os.access(below(root, _path(name)), os.W_OK)


def _path(name: str) -> str:
    return f"/proc/sys/{name.replace('.', '/')}"
