# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Which trees a role has put on this host, in the collection's manifest."""

from __future__ import annotations

import os
from collections.abc import Callable

from ansible_collections.nova.agent_host.plugins.module_utils.compare.paths import IMPLIED
from ansible_collections.nova.agent_host.plugins.module_utils.state.change import put, remove
from ansible_collections.nova.agent_host.plugins.module_utils.state.lock import locked
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Record
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT


def displaced(manifest: Manifest, tree: str, kind: Callable[[str], str]) -> list[str]:
    """The folders above ``tree`` that an apply made and in whose place something else stands, a link perhaps: what is
    seen through it goes when the folder is put back. ``kind`` gives what a path is."""
    made = {path for path, record in manifest.records() if record.implied}
    return [folder for folder in _above(tree) if folder in made and kind(folder) not in ("directory", "absent")]


def is_displaced(tree: str, path: str) -> bool:
    """Whether ``tree`` is seen through what stands in the place of a folder of ours."""
    return bool(displaced(Manifest.load(path), tree, _kind))


def _kind(path: str) -> str:
    return observe(path, content=False).kind


def claim(role: str, tree: str, path: str) -> None:
    """Record ``tree`` before anything is written, and make the folders above it that are missing."""
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
    """Trees of ``role`` other than ``tree``: the prefix was changed."""
    return [other for other in Manifest.load(path).role(role).trees if other != tree]


def release(role: str, tree: str, path: str) -> None:
    """Forget ``tree``, and remove the folders above it that were made for it and are empty."""
    with locked():
        manifest = Manifest.load(path)
        ours = manifest.role(role)
        ours.trees = [other for other in ours.trees if other != tree]
        paths = ours.paths
        for folder in _above(tree):
            if folder in paths and paths[folder].implied and manifest.holders(folder) == [role]:
                remove(folder)
                if not os.path.lexists(folder):  # else not empty: it goes with the last thing in it
                    del paths[folder]
        manifest.save(path)


def _above(tree: str) -> list[str]:
    """The folders above ``tree``, nearest first, without the root."""
    folders = []
    folder = os.path.dirname(tree)
    while folder != "/":
        folders.append(folder)
        folder = os.path.dirname(folder)
    return folders
