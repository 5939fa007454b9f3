# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Answers of the modules host_state, rustup_toolchain and ai_audit_log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, TypedDict

from .shapes import AuditLogFinding


class Change(TypedDict):
    """What diff mode shows of things that are no files."""

    before: str
    after: str


@dataclass
class Installed:
    """Of rustup_toolchain: the changes, or in check mode the planned ones."""

    changed: bool = False
    installed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    in_use: list[str] = field(default_factory=list)  #: Old generations in which programs still run.
    diff: Optional[Change] = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AuditLogs:
    """Of ai_audit_log."""

    changed: bool
    findings: list[AuditLogFinding]
    diff: Optional[Change] = None
    warnings: list[str] = field(default_factory=list)


class Piece(TypedDict):
    """What diff mode shows of one path, or of several."""

    before_header: str
    after_header: str
    before: str
    after: str


@dataclass
class Outcome:
    """Of host_state: the changes, or in check mode the planned ones."""

    changed: bool = False
    changed_paths: list[str] = field(default_factory=list)
    changed_units: list[str] = field(default_factory=list)  #: What was done with units and kernel settings.
    kept: list[str] = field(default_factory=list)  #: Paths that stay, because they were edited or are not empty.
    left_out: dict[str, str] = field(default_factory=dict)  #: Files that the host could not check, with the reason.
    pending: list[str] = field(default_factory=list)  #: Accounts that a run would have to create first.
    warnings: list[str] = field(default_factory=list)
    diff: list[Piece] = field(default_factory=list)
