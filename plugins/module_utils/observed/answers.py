# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Answers of modules other than the look."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.nova.agent_host.plugins.module_utils.state.diff import Piece


@dataclass(frozen=True)
class Applied:
    """Of host_state."""

    changed: bool
    changed_paths: list[str]
    changed_units: list[str]
    kept: list[str]
    pending: list[str]
    diff: list[Piece] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
