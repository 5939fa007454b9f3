# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What changed on a host since the last apply: the manifest's record of each path against what stands there."""

from __future__ import annotations

import os
from typing import TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import differences, in_words
from ansible_collections.nova.agent_host.plugins.module_utils.state.plan import bare


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
        path: (role, bare(record))
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
            drift["changed"].append({"path": path, "role": role, "what": in_words(state, found, names)})
    return drift
