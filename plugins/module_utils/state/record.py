# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Who may change the manifest and what lies beside it: root works from these files, so they are root's alone."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ansible_collections.nova.agent_host.plugins.module_utils.state.change import set_attributes
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, State, StateError, differences

_ROOT = {"owner": "root", "group": "root"}


def _wanted(manifest_path: str) -> dict[str, State]:
    folder = os.path.dirname(manifest_path)
    return {
        folder: {"kind": "directory", "mode": "0755", **_ROOT},
        manifest_path: {"kind": "file", "mode": "0644", **_ROOT},
        os.path.join(folder, "originals"): {"kind": "directory", "mode": "0700", **_ROOT},
    }


def observe_record(manifest_path: str) -> dict[str, dict[str, State]]:
    """The manifest, its folder and the originals, where they exist: ``{path: {"found": state, "wanted": state}}``."""
    wanted = _wanted(manifest_path)
    looked = {path: {"found": observe(path, content=False), "wanted": state} for path, state in wanted.items()}
    return {path: both for path, both in looked.items() if both["found"] != ABSENT}


def record_problems(record: Mapping[str, Mapping[str, State]]) -> dict[str, list[str]]:
    """Of what ``observe_record`` gave, the names of what differs, by path; empty where all is right."""
    found = {path: differences(both["wanted"], both["found"]) for path, both in record.items()}
    return {path: names for path, names in found.items() if names}


def repair_record(manifest_path: str) -> list[str]:
    """Put owner and mode right; the paths where they were wrong. Raises OSError, and StateError for a wrong kind."""
    record = observe_record(manifest_path)
    wrong = record_problems(record)
    for path, names in wrong.items():
        if "kind" in names:
            raise StateError(f"{path} is a {record[path]['found']['kind']}: move it away, and restore it from a backup")
        set_attributes(path, record[path]["wanted"])
    return list(wrong)
