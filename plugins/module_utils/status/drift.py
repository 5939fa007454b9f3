# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What changed on a host since the last apply: the manifest's record of each path against what stands there."""

from __future__ import annotations

import os
from typing import TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import COMPARED, differences


class Change(TypedDict):
    path: str
    role: str
    what: str  #: For people: "is missing", "mode 0777, not 0755", "other content".


class Drift(TypedDict):
    recorded: int  #: Paths that applies wrote and still want.
    changed: list[Change]
    unreadable: list[str]  #: Paths that only root may compare.


def observe_drift(manifest: Manifest, root: str = "/") -> Drift:
    """Compare each path of ``manifest`` with the host below ``root``. Paths that an apply left because somebody had
    edited them are no longer wanted, and don't count."""
    wanted = {
        path: (role, {name: record[name] for name in COMPARED[record["kind"]] if name in record})
        for role, records in sorted(manifest.roles.items())
        for path, record in records["paths"].items()
        if not record.get("kept")
    }
    drift: Drift = {"recorded": len(wanted), "changed": [], "unreadable": []}
    for path, (role, state) in sorted(wanted.items()):
        try:
            found = observe(os.path.join(root, path.lstrip("/")), content="sha256" in state)
        except OSError:
            found = {"kind": "unreadable"}
        if found["kind"] == "unreadable":
            drift["unreadable"].append(path)
            continue
        names = differences(state, found)
        if names:
            drift["changed"].append({"path": path, "role": role, "what": _in_words(names, state, found)})
    return drift


def _in_words(names: list[str], wanted: dict[str, str], found: dict[str, str]) -> str:
    if "kind" in names:
        return "is missing" if found["kind"] == "absent" else f"is {found['kind']}, not {wanted['kind']}"
    return ", ".join(
        "other content" if name == "sha256" else f"{name} {found[name]}, not {wanted[name]}" for name in names
    )
