# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Record the toolchain trees of a role in the manifest."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import PurePosixPath

from ..compare.paths import IMPLIED
from ..state.change import put, remove
from ..state.lock import locked
from ..state.look import observe
from ..state.manifest import Manifest, Record
from ..state.paths import ABSENT


def displaced(manifest: Manifest, tree: str, kind: Callable[[str], str]) -> list[str]:
    """The folders above ``tree`` that an apply created and that are something else now, such as a link. The next apply
    creates them again, and then the tree behind the link is not visible. ``kind`` returns the kind of a path."""
    made = {path for path, record in manifest.records() if record.implied}
    return [folder for folder in _above(tree) if folder in made and kind(folder) not in ("directory", "absent")]


def is_displaced(tree: str, path: str) -> bool:
    """Whether a folder above ``tree`` was replaced, for example by a link."""
    return bool(displaced(Manifest.load(path), tree, _kind))


def _kind(path: str) -> str:
    return observe(path, content=False).kind


def claim(role: str, tree: str, path: str) -> None:
    """Record ``tree`` before anything is written, and create missing folders above it."""
    with locked():
        manifest = Manifest.load(path)
        trees = manifest.role(role).trees
        if tree not in trees:
            trees.append(tree)
        for folder in displaced(manifest, tree, _kind):
            put(folder, IMPLIED, None)
        missing = [folder for folder in _above(tree) if not os.path.lexists(folder)]
        for folder in missing:
            manifest.role(role).paths[folder] = Record(IMPLIED, ABSENT, implied=True)
        manifest.save(path)
        for folder in reversed(missing):
            put(folder, IMPLIED, None)


def others(role: str, tree: str, path: str) -> list[str]:
    """Other trees of ``role``: they exist if the prefix was changed."""
    return [other for other in Manifest.load(path).role(role).trees if other != tree]


def release(role: str, tree: str, path: str) -> None:
    """Remove ``tree`` from the manifest, and remove empty folders above it that were created for it."""
    with locked():
        manifest = Manifest.load(path)
        ours = manifest.role(role)
        ours.trees = [other for other in ours.trees if other != tree]
        paths = ours.paths
        for folder in _above(tree):
            if folder in paths and paths[folder].implied and manifest.holders(folder) == [role]:
                remove(folder)
                if not os.path.lexists(folder):  # otherwise it is not empty, and is removed later
                    del paths[folder]
        manifest.save(path)


def _above(tree: str) -> list[str]:
    """The folders above ``tree`` without ``/``, the nearest first."""
    return [str(folder) for folder in PurePosixPath(tree).parents][:-1]
