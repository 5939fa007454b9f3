# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Correct owner and mode of the manifest, its folder and the originals."""

from __future__ import annotations

from .change import set_attributes
from .paths import StateError, differences
from .record import observe_record, wanted_record


def wrong_record(manifest_path: str) -> list[str]:
    """The paths with a wrong owner or mode. Raises OSError; StateError for a wrong kind."""
    wrong = []
    for path, found in observe_record(manifest_path).items():
        names = differences(wanted_record(manifest_path)[path], found)
        if "kind" in names:
            raise StateError(f"{path} is a {found.kind}: move it away, and restore it from a backup")
        if names:
            wrong.append(path)
    return wrong


def repair_record(manifest_path: str) -> list[str]:
    """Correct owners and modes, and return the corrected paths. Raises the errors of wrong_record."""
    wrong = wrong_record(manifest_path)
    for path in wrong:
        set_attributes(path, wanted_record(manifest_path)[path])
    return wrong
