# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read the packages of a Cargo workspace and the test targets that they declare from the Cargo.toml files.

`cargo metadata` is not used: it needs a toolchain, resolves dependencies first, and takes longer for one package than
this module for a hundred.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

try:
    import tomllib
except ImportError:  # Python 3.10 and older
    try:
        import tomli as tomllib  # type: ignore[import-not-found, no-redef]
    except ImportError:
        tomllib = None  # type: ignore[assignment]

MANIFEST = "Cargo.toml"
DEPENDENCIES = ("dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies")


class WorkspaceError(ValueError):
    """The workspace can't be read. The message names the file."""


@dataclass(frozen=True)
class Package:
    """``harnesses`` are the files of [[test]] entries, relative to ``folder``. With ``autotests`` cargo also compiles
    every other tests/*.rs."""

    name: str
    folder: str
    autotests: bool
    harnesses: tuple[str, ...]


def packages(folder: str) -> list[Package]:
    """Return the packages of the workspace whose Cargo.toml is in ``folder`` or above it. Raises WorkspaceError."""
    if tomllib is None:
        raise WorkspaceError("this Python is older than 3.11 and can't read TOML: install the package python3-tomli")
    root = _find_root(os.path.abspath(folder))
    manifests = {root: _read(root)}
    workspace = _table(manifests[root].get("workspace"))
    if "workspace" in manifests[root]:
        _add_members(root, workspace, manifests)
    inherited = _table(workspace.get("package"))
    return [
        _package(place, _table(manifest["package"]), manifest.get("test"), inherited)
        for place, manifest in sorted(manifests.items())
        if "package" in manifest
    ]


def _find_root(folder: str) -> str:
    for place in (PurePath(folder), *PurePath(folder).parents):
        if os.path.isfile(place / MANIFEST):
            return str(place)
    raise WorkspaceError(f"{folder}: no {MANIFEST} here or in a folder above; name a folder of a Cargo workspace")


def _read(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, MANIFEST)
    try:
        # A FIFO has no writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), encoding="utf-8", newline="") as file:
            return tomllib.loads(file.read())
    except OSError as error:
        raise WorkspaceError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise WorkspaceError(f"{path}: {error}") from error


def _add_members(root: str, workspace: Mapping[str, Any], manifests: dict[str, dict[str, Any]]) -> None:
    """Add the members as cargo does: the matches of `members` and their path dependencies below the root, except those
    in `exclude`."""
    excluded = [os.path.normpath(os.path.join(root, path)) for path in _strings(workspace.get("exclude"))]
    todo = list(_path_dependencies(root, manifests[root]))
    for pattern in _strings(workspace.get("members")):
        path = os.path.normpath(os.path.join(root, pattern))
        if glob.has_magic(pattern):
            todo += [match for match in glob.glob(path) if os.path.isfile(os.path.join(match, MANIFEST))]
        else:
            todo.append(path)
    while todo:
        place = todo.pop()
        if place in manifests or any(place == path or place.startswith(path + os.sep) for path in excluded):
            continue
        manifests[place] = _read(place)
        todo += [
            path
            for path in _path_dependencies(place, manifests[place])
            if path.startswith(root.rstrip(os.sep) + os.sep)
        ]


def _path_dependencies(folder: str, manifest: Mapping[str, Any]) -> Iterable[str]:
    tables = [manifest, *(_table(target) for target in _table(manifest.get("target")).values())]
    # Members can inherit dependencies from the workspace.
    tables.append(_table(manifest.get("workspace")))
    for table in tables:
        for kind in DEPENDENCIES:
            for dependency in _table(table.get(kind)).values():
                path = _table(dependency).get("path")
                if isinstance(path, str):
                    place = os.path.normpath(os.path.join(folder, path))
                    if os.path.isfile(os.path.join(place, MANIFEST)):
                        yield place


def _package(folder: str, package: Mapping[str, Any], tests: Any, inherited: Mapping[str, Any]) -> Package:
    declared = [_table(test) for test in tests] if isinstance(tests, list) else []
    edition = package.get("edition", "2015")
    if isinstance(edition, Mapping):
        edition = inherited.get("edition", "2015")
    # In edition 2015, one declared target turns discovery off.
    autotests = package.get("autotests", edition != "2015" or not declared)
    harnesses = tuple(os.path.normpath(_harness(folder, test)) for test in declared)
    return Package(str(package.get("name", "")), folder, bool(autotests), harnesses)


def _harness(folder: str, test: Mapping[str, Any]) -> str:
    if isinstance(test.get("path"), str):
        return str(test["path"])
    name = str(test.get("name", ""))
    nested = os.path.join("tests", name, "main.rs")
    alone = os.path.join("tests", f"{name}.rs")
    return (
        nested
        if not os.path.isfile(os.path.join(folder, alone)) and os.path.isfile(os.path.join(folder, nested))
        else alone
    )


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
