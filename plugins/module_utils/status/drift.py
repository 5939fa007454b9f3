# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What changed on a host since the last apply: each path of the manifest, compared with the host."""

from __future__ import annotations

from typing import TypedDict

from ..compare.paths import REFUSE, compare_roles
from ..host.files import below
from ..state.look import observe
from ..state.manifest import Manifest
from ..state.paths import PathState


class Change(TypedDict):
    path: str
    role: str
    what: str  #: A text such as "is missing", "mode 0777, not 0755", "other content".


class Drift(TypedDict):
    recorded: int  #: Number of paths in the manifest that are still wanted.
    changed: list[Change]
    unreadable: list[str]  #: Paths that only root may read.


def observe_drift(manifest: Manifest, root: str = "/") -> Drift:
    """Compare the host below ``root`` with the manifest, except paths that are no longer wanted."""

    # In folders of others the collection has only links, so a file there belongs to others and is not read.
    read = {path for path, record in manifest.records() if record.state.sha256}

    def look(path: str) -> PathState:
        return observe(below(root, path), content=path in read)

    recorded = {
        name: {path: record.state for path, record in role.paths.items() if not record.kept}
        for name, role in sorted(manifest.roles.items())
    }
    drift: Drift = {
        "recorded": len({path for role in recorded.values() for path in role}),
        "changed": [],
        "unreadable": [],
    }
    for role, steps in compare_roles(recorded, manifest, look).items():
        for step in steps:
            if step.action == REFUSE and step.found.kind == "unreadable":
                drift["unreadable"].append(step.path)
            elif step.action:
                drift["changed"].append({"path": step.path, "role": role, "what": step.why})
    return drift
