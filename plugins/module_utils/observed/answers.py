# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Answers of modules other than agent_host_info."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, TypedDict

from ..state.diff import Piece
from .shapes import AuditLogFinding


@dataclass(frozen=True)
class Applied:
    """The answer of host_state."""

    changed: bool
    changed_paths: list[str]
    changed_units: list[str]
    kept: list[str]
    pending: list[str]
    diff: list[Piece] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Change(TypedDict):
    """What diff mode shows of things that are no files."""

    before: str
    after: str


@dataclass(frozen=True)
class Installed:
    """Of rustup_toolchain."""

    changed: bool
    installed: list[str]
    removed: list[str]
    repaired: list[str]
    in_use: list[str]
    diff: Optional[Change] = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AuditLogs:
    """Of ai_audit_log."""

    changed: bool
    findings: list[AuditLogFinding]
    diff: Optional[Change] = None
    warnings: list[str] = field(default_factory=list)
