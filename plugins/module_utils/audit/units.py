# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The units of systemd that a role's files bring or change, and whether they are as those files want them.

Pure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import (
    Item,
    drifted,
    good,
    limits_that_differ,
    unknown,
)
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import UNKNOWN, unit_of

LIMITS_ROLE = "agent_limits"  # its drop-ins hold the limits of services
STARTED = (".timer", ".path", ".socket")  # services are what these start, and mostly not running
_INSTALL = re.compile(r"^\[Install\]", re.MULTILINE)


def owned_units(role: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """``{"x.timer": {"role", "own": whether the unit's own file is the role's, "enabled": whether it is to be,
    "limited": whether the agents' limits are to hold for it}}``."""
    units: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name = unit_of(entry["path"])
        if not name or (entry.get("state") or "file") != "file":
            continue
        unit = units.setdefault(name, {"role": role, "own": False, "enabled": False, "limited": role == LIMITS_ROLE})
        if posixpath.basename(entry["path"]) == name:
            unit.update(own=True, enabled=bool(_INSTALL.search(entry.get("content") or "")))
    return units


def merged_units(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What two roles want of units: of one that both have a drop-in for, all of it."""
    merged: dict[str, Any] = {name: dict(unit) for name, unit in one.items()}
    for name, unit in other.items():
        first = merged.setdefault(name, dict(unit))
        first.update({key: first[key] or unit[key] for key in ("own", "enabled", "limited")})
    return merged


def unit_items(
    units: Mapping[str, Mapping[str, Any]],
    seen: Mapping[str, Mapping[str, Any]],
    ours: Collection[str],
    limits: Mapping[str, Sequence[int | None]],
) -> list[Item]:
    """``units`` is what ``owned_units`` gave, ``seen`` what audit_info found of them, both by name; ``ours`` are the
    paths of this collection, ``limits`` those of the agents in the kernel's units."""
    return [_unit_item(name, unit, seen.get(name), ours, limits) for name, unit in sorted(units.items())]


def _unit_item(
    name: str,
    unit: Mapping[str, Any],
    found: Mapping[str, Any] | None,
    ours: Collection[str],
    limits: Mapping[str, Sequence[int | None]],
) -> Item:
    role = unit["role"]
    if found is None or found == UNKNOWN:
        return unknown(role, "unit", name, "systemd does not tell")
    loaded, enabled, active = found["load"], found["enabled"], found["active"]
    others = [path for path in found["drop_ins"] if path not in ours]
    why = {}
    if unit["own"] and loaded != "loaded":
        why["load"] = f"systemd has it as {loaded}"
    elif found["stale"]:
        why["load"] = "systemd has not read its files since they changed: systemctl daemon-reload"
    if unit["enabled"] and enabled != "enabled":
        why["enabled"] = f"is {enabled}, not enabled" if enabled else "is not enabled"
    if unit["own"] and active == "failed":
        why["active"] = f"failed ({found['result']}): see journalctl -u {name}, then systemctl reset-failed {name}"
    elif unit["own"] and name.endswith(STARTED) and active != "active":
        why["active"] = f"is {active}, not active"
    # A drop-in for all units of a kind is the host's own matter.
    aimed = [path for path in others if posixpath.basename(posixpath.dirname(path)) != f"{name.rpartition('.')[2]}.d"]
    if unit["own"] and aimed:
        why["drop-in"] = f"is changed by {', '.join(aimed)}: remove that, and set the role's variables instead"
    wrong, words = limits_that_differ(limits, found["limits"]) if unit["limited"] and loaded == "loaded" else ([], "")
    if wrong:
        cause = f": take that out of {', '.join(others)}" if others else ""
        why["limits"] = f"is started with {words}{cause}"
    return drifted(role, "unit", name, ", ".join(why.values()), list(why)) if why else good(role, "unit", name)
