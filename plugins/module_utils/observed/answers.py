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
