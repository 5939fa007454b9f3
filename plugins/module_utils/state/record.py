# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Owner and mode of the manifest, its folder and the originals. Root trusts their content, so only root may write."""

from __future__ import annotations

import os

from .look import observe
from .manifest import DEFAULT_PATH
from .paths import ABSENT, PathState


def wanted_record(manifest_path: str = DEFAULT_PATH) -> dict[str, PathState]:
    folder = os.path.dirname(manifest_path)
    return {
        folder: PathState("directory", "0755", "root", "root"),
        manifest_path: PathState("file", "0644", "root", "root"),
        os.path.join(folder, "originals"): PathState("directory", "0700", "root", "root"),
    }


def observe_record(manifest_path: str) -> dict[str, PathState]:
    """The state of these paths, except missing ones."""
    found = {path: observe(path, content=False) for path in wanted_record(manifest_path)}
    return {path: state for path, state in found.items() if state != ABSENT}
