# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Compare systemd units with the desired state of a role. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable

from ..desired.shapes import Unit
from ..observed.shapes import NOT_KNOWN, Limits, UnitState


def compare_unit(unit: Unit, found: UnitState, pending: bool, ours: Collection[str], limits: Limits) -> dict[str, str]:
    """The differences, by load, enabled, active, drop-in, restart or limits; none if the state is not known.

    ``pending``: it was not restarted since its files changed. ``ours`` are the paths of this collection, ``limits``
    those of agents."""
    if found == NOT_KNOWN:
        return {}
    others = [path for path in found.drop_ins if path not in ours]
    why = {}
    if unit.own and found.load != "loaded":
        why["load"] = f"systemd has it as {found.load}"
    elif found.stale:
        why["load"] = "systemd has not read its files since they changed: systemctl daemon-reload"
    if unit.active and found.enabled != "enabled":
        why["enabled"] = f"is {found.enabled}, not enabled" if found.enabled else "is not enabled"
    if unit.own and found.active == "failed":
        why["active"] = (
            f"failed ({found.result}): see journalctl -u {unit.name}, then systemctl reset-failed {unit.name}"
        )
    elif unit.active and found.active != "active":
        why["active"] = f"is {found.active}, not active"
    aimed = changed_by(unit, others)
    if aimed:
        why["drop-in"] = f"is changed by {', '.join(aimed)}: remove that, and set the role's variables instead"
    if pending:
        why["restart"] = "its files changed, and it was not restarted yet"
    wrong = limits_that_differ(limits, found.limits) if unit.limited and found.load == "loaded" else ""
    if wrong:
        cause = f": remove that from {', '.join(others)}" if others else ""
        why["limits"] = f"is started with {wrong}{cause}"
    return why


def changed_by(unit: Unit, others: Iterable[str]) -> list[str]:
    """Drop-ins of ``others`` for a unit of the collection. No apply removes them.

    A drop-in for all units of a kind belongs to the host's own configuration."""
    kind = f"{unit.name.rpartition('.')[2]}.d"
    return [path for path in sorted(others) if unit.own and posixpath.basename(posixpath.dirname(path)) != kind]


def limits_that_differ(wanted: Limits, found: Limits) -> str:
    """The limits that differ, as text: "as unlimited, not 68719476736". Empty if none differs."""
    wrong = [item for item, pair in wanted.items() if found.get(item) != list(pair)]
    return ", ".join(f"{item} {pair_text(found.get(item))}, not {pair_text(wanted[item])}" for item in wrong)


def pair_text(limits: list[int | None] | None, unlimited: str = "unlimited") -> str:
    """A soft and a hard limit as systemd and prlimit write them: one number if they are equal."""
    soft, hard = (unlimited if value is None else str(value) for value in limits or (None, None))
    return soft if soft == hard else f"{soft}:{hard}"
