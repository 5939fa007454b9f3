# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The systemd units that files of the collection create or change, and their state."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from ..desired.units import unit_of
from ..observed.shapes import NOT_KNOWN, UnitState
from ..state.manifest import Manifest
from .pam import LIMITS
from .programs import run

PROPERTIES = ("LoadState", "UnitFileState", "ActiveState", "Result", "NeedDaemonReload", "DropInPaths")
HALVES = ("Soft", "")  # suffixes of the properties for soft and hard limits


def recorded_units(manifest: Manifest) -> list[str]:
    """The units that files in the manifest create or change."""
    return sorted({unit_of(path) for path, _record in manifest.records()} - {""})


def observe_units(names: Iterable[str]) -> dict[str, UnitState]:
    """The state of each unit, with its limits after all drop-ins. NOT_KNOWN if systemd does not answer.

    Starts one process; none if ``names`` is empty.
    """
    wanted = list(names)
    if not wanted:
        return {}
    properties = [*PROPERTIES, *(f"Limit{item.upper()}{half}" for item in LIMITS for half in HALVES)]
    try:
        blocks = (
            run(["systemctl", "show", f"--property={','.join(properties)}", "--", *wanted]).strip("\n").split("\n\n")
        )
    except (OSError, subprocess.SubprocessError):
        blocks = []
    if len(blocks) != len(wanted) or not all(blocks):
        return dict.fromkeys(wanted, NOT_KNOWN)
    return {name: _state(block) for name, block in zip(wanted, blocks)}


def _state(block: str) -> UnitState:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    limits = {
        item: [_limit(values[f"Limit{item.upper()}{half}"]) for half in HALVES]
        for item in LIMITS
        if all(f"Limit{item.upper()}{half}" in values for half in HALVES)
    }
    return UnitState(
        load=values.get("LoadState", ""),
        enabled=values.get("UnitFileState", ""),
        active=values.get("ActiveState", ""),
        result=values.get("Result", ""),
        stale=values.get("NeedDaemonReload") == "yes",
        drop_ins=values.get("DropInPaths", "").split(),
        limits=limits,
    )


def _limit(value: str) -> int | None:
    return None if value == "infinity" else int(value)
