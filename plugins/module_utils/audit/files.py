# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What a role's paths on this host are like, compared with what it wants: reads only, and refuses nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import DRIFTED, Item, state_items
from ansible_collections.nova.agent_host.plugins.module_utils.state.apply import look_from, pieces
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import wanted_state

SHOWN = 1 << 20  # bytes of a file that are compared line by line


def audit_files(role: str, entries: Sequence[Mapping[str, Any]], manifest_path: str) -> list[Item]:
    """The items of ``role``, each that differs with a ``diff`` in pieces. Raises StateError and ManifestError."""
    wanted = {entry["path"]: wanted_state(entry) for entry in entries}
    by_path = {entry["path"]: entry for entry in entries}
    manifest = Manifest.load(manifest_path)
    items = state_items(role, wanted, manifest, look_from(manifest_path, manifest, wanted))
    for item in items:
        path = item["item"]
        if item["status"] == DRIFTED and path in wanted and item["differs"] != ["manifest"]:
            entry = by_path[path]
            content = (entry.get("content") or "").encode() if wanted[path]["kind"] == "file" else None
            shown = entry.get("diff") is not False and not _is_large(path)
            item["diff"] = pieces(path, observe(path), wanted[path], content, shown)
    return items


def _is_large(path: str) -> bool:
    return os.path.lexists(path) and os.lstat(path).st_size > SHOWN
