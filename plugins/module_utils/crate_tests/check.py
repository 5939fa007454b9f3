# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The operational guide's rule for integration tests: no loose tests/*.rs, because cargo compiles and links a binary
for each.

A harness is a file that a [[test]] entry names, or one that has a folder of its own, as in the guide:
``tests/parser.rs`` or ``tests/parser_tests.rs`` beside ``tests/parser/``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.nova.agent_host.plugins.module_utils.crate_tests.workspace import Package, packages

# The name in the guide's own commands: --test harness
NEW_HARNESS = "harness"
OWN_MODULE = re.compile(r"_tests?$")


@dataclass(frozen=True)
class Loose:
    """A file that is not where the rule wants it. Paths are relative to the checked folder; ``declare`` is the line
    that its new place needs in file ``declare_in``, both empty where one names it already."""

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
    """How many packages there are in a working copy, and every loose test file. Raises WorkspaceError."""
    found = packages(folder)
    return len(found), [loose for package in found for loose in _check_package(package, os.path.abspath(folder))]


def _check_package(package: Package, root: str) -> list[Loose]:
    tests = os.path.join(package.folder, "tests")
    try:
        with os.scandir(tests) as entries:
            there = list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    files = sorted(entry.name[:-3] for entry in there if entry.name.endswith(".rs") and entry.is_file())
    folders = {entry.name for entry in there if entry.is_dir()}
    declared = {name for name in files if os.path.join("tests", f"{name}.rs") in package.harnesses}
    if declared == set(files):
        return []
    modules = _modules(tests, files) - declared
    pictured = {name for name in files if package.autotests and _own_folder(name, folders)} - modules
    homes = _homes(tests, declared | pictured, folders)
    return [
        _loose(package, os.path.relpath(tests, root), name, name in modules, homes)
        for name in files
        if name not in declared | pictured and (package.autotests or name not in modules)
    ]


def _own_folder(name: str, folders: Iterable[str]) -> str:
    """The folder of a harness, empty where it has none."""
    return next((own for own in (OWN_MODULE.sub("", name), name) if own in folders), "")


def _modules(tests: str, files: Iterable[str]) -> set[str]:
    """The names that files of the folder take in as modules."""
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


def _homes(tests: str, harnesses: Iterable[str], folders: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """Where a test can go, by the harness's name: its folder, the file that names its modules, and the line to put
    there."""
    homes = {}
    for name in harnesses:
        folder = _own_folder(name, folders) or OWN_MODULE.sub("", name)
        inner = os.path.join(folder, "mod.rs")
        named_inside = os.path.isfile(os.path.join(tests, inner))
        homes[name] = (
            (folder, inner, "mod {};") if named_inside else (folder, f"{name}.rs", f"mod {folder} {{{{ mod {{}}; }}}}")
        )
    for folder in folders:
        if os.path.isfile(os.path.join(tests, folder, "main.rs")):
            homes[folder] = (folder, os.path.join(folder, "main.rs"), "mod {};")
    return homes or {NEW_HARNESS: (NEW_HARNESS, f"{NEW_HARNESS}.rs", f"mod {NEW_HARNESS} {{{{ mod {{}}; }}}}")}


def _loose(package: Package, tests: str, name: str, module: bool, homes: dict[str, tuple[str, str, str]]) -> Loose:
    file = os.path.normpath(os.path.join(tests, f"{name}.rs"))
    if module:
        why = "is a module of other tests, and cargo compiles it as a binary of its own, too"
        return Loose(package.name, file, why, os.path.normpath(os.path.join(tests, name, "mod.rs")))
    why = (
        "cargo compiles and links a binary for it alone"
        if package.autotests
        else "no [[test]] names it and autotests is false, so its tests never run"
    )
    nearest = min(homes, key=lambda home: (-_alike(home, name), home))
    folder, declare_in, line = homes[nearest]
    moved, declare_in = (os.path.normpath(os.path.join(tests, path)) for path in (f"{folder}/{name}.rs", declare_in))
    return Loose(package.name, file, why, moved, line.format(name), declare_in)


def _alike(one: str, other: str) -> int:
    """How many letters two names begin alike with."""
    return next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
