# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Find loose tests/*.rs files: cargo compiles and links one binary for each, so tests belong into few harnesses.

A harness is a file that a [[test]] entry names, or a file with a folder of the same name, as in the operational guide:
``tests/parser.rs`` or ``tests/parser_tests.rs`` beside ``tests/parser/``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .workspace import Package, WorkspaceError, packages

# The name in the guide's own commands: --test harness
NEW_HARNESS = "harness"
OWN_MODULE = re.compile(r"_tests?$")


@dataclass(frozen=True)
class Loose:
    """A test file outside a harness. Paths are relative to the checked folder. ``declare`` is the line to add to file
    ``declare_in``; both are empty if the file is already declared."""

    package: str
    file: str
    why: str
    move_to: str
    declare: str = ""
    declare_in: str = ""

    def line(self) -> str:
        declare = f' and put "{self.declare}" into {self.declare_in}' if self.declare else ""
        return f"{self.file}: {self.why}; move it to {self.move_to}{declare}"


def check(folder: str) -> tuple[int, list[Loose]]:
    """Return the number of packages in a workspace, and every loose test file. Raises WorkspaceError."""
    found = packages(folder)
    return len(found), [loose for package in found for loose in _check_package(package, os.path.abspath(folder))]


def _check_package(package: Package, root: str) -> list[Loose]:
    tests = os.path.join(package.folder, "tests")
    try:
        with os.scandir(tests) as entries:
            content = list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise WorkspaceError(f"{tests}: {error.strerror}") from error
    # os.path, because the methods of an entry raise an error for a link to itself.
    files = sorted(entry.name[:-3] for entry in content if entry.name.endswith(".rs") and os.path.isfile(entry.path))
    folders = {entry.name for entry in content if os.path.isdir(entry.path)}
    declared = {name for name in files if os.path.join("tests", f"{name}.rs") in package.harnesses}
    if declared == set(files):
        return []
    modules = _modules(tests, files) - declared
    with_folder = {name for name in files if package.autotests and _own_folder(name, folders)} - modules
    destinations = _destinations(tests, declared | with_folder, folders)
    return [
        _loose(package, os.path.relpath(tests, root), name, name in modules, destinations)
        for name in files
        if name not in declared | with_folder and (package.autotests or name not in modules)
    ]


def _own_folder(name: str, folders: Iterable[str]) -> str:
    """The folder of a harness, or "" if it has none."""
    return next((own for own in (OWN_MODULE.sub("", name), name) if own in folders), "")


def _modules(tests: str, files: Iterable[str]) -> set[str]:
    """The names that files of the folder include as modules."""
    found: set[str] = set()
    for name in files:
        try:
            with open(os.path.join(tests, f"{name}.rs"), encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        found.update(re.findall(r"^\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(?:r#)?(\w+)\s*;", text, re.MULTILINE))
        found.update(re.findall(r'"(?:\./)?([^"/]+)\.rs"', text))  # #[path = "..."], include!("...")
    return found


def _destinations(tests: str, harnesses: Iterable[str], folders: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """For each harness: its folder, the file that declares its modules, and the line to add to that file."""
    destinations = {}
    for name in harnesses:
        folder = _own_folder(name, folders) or OWN_MODULE.sub("", name)
        inner = os.path.join(folder, "mod.rs")
        has_mod_file = os.path.isfile(os.path.join(tests, inner))
        destinations[name] = (
            (folder, inner, "mod {};") if has_mod_file else (folder, f"{name}.rs", f"mod {folder} {{{{ mod {{}}; }}}}")
        )
    for folder in folders:
        if os.path.isfile(os.path.join(tests, folder, "main.rs")):
            destinations[folder] = (folder, os.path.join(folder, "main.rs"), "mod {};")
    return destinations or {NEW_HARNESS: (NEW_HARNESS, f"{NEW_HARNESS}.rs", f"mod {NEW_HARNESS} {{{{ mod {{}}; }}}}")}


def _loose(
    package: Package, tests: str, name: str, module: bool, destinations: dict[str, tuple[str, str, str]]
) -> Loose:
    file = os.path.normpath(os.path.join(tests, f"{name}.rs"))
    if module:
        why = "is a module of other tests, but cargo also compiles it as a binary"
        return Loose(package.name, file, why, os.path.normpath(os.path.join(tests, name, "mod.rs")))
    why = (
        "cargo compiles and links a separate binary for it"
        if package.autotests
        else "no [[test]] entry names it and autotests is false, so its tests never run"
    )
    nearest = min(destinations, key=lambda harness: (-_common_prefix(harness, name), harness))
    folder, declare_in, line = destinations[nearest]
    moved, declare_in = (os.path.normpath(os.path.join(tests, path)) for path in (f"{folder}/{name}.rs", declare_in))
    return Loose(package.name, file, why, moved, line.format(name), declare_in)


def _common_prefix(one: str, other: str) -> int:
    """Number of characters that both names begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
