# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What an apply did: the result of state/apply.py, and the answer of the module host_state."""

from __future__ import annotations

from dataclasses import dataclass, field

from .diff import Piece


@dataclass
class Outcome:
    """The changes of a run, or of a run that check mode predicts."""

    changed: bool = False
    changed_paths: list[str] = field(default_factory=list)
    changed_units: list[str] = field(default_factory=list)  #: What was done with units and kernel settings.
    kept: list[str] = field(default_factory=list)  #: Paths that stay, because they were edited or are not empty.
    left_out: dict[str, str] = field(default_factory=dict)  #: Files that the host could not check, with the reason.
    pending: list[str] = field(default_factory=list)  #: Accounts that a run would have to create first.
    warnings: list[str] = field(default_factory=list)
    diff: list[Piece] = field(default_factory=list)
