# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Answers of the modules rustup_toolchain and ai_audit_log. The answer of host_state is an Outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, TypedDict

from .shapes import AuditLogFinding


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
