# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The units of systemd that a role's files bring or change, and whether they are as those files want them.

Pure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import Item, drifted, good, unknown
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import UNKNOWN, unit_of

STARTED = (".timer", ".path", ".socket")  # services are what these start, and mostly not running
_INSTALL = re.compile(r"^\[Install\]", re.MULTILINE)


def owned_units(role: str, entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """``{"x.timer": {"role", "own": whether the unit's own file is the role's, "enabled": whether it is to be}}``."""
    units: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name = unit_of(entry["path"])
        if not name or (entry.get("state") or "file") != "file":
            continue
        unit = units.setdefault(name, {"role": role, "own": False, "enabled": False})
        if posixpath.basename(entry["path"]) == name:
            unit.update(own=True, enabled=bool(_INSTALL.search(entry.get("content") or "")))
    return units


def unit_items(units: Mapping[str, Mapping[str, Any]], seen: Mapping[str, Mapping[str, str]]) -> list[Item]:
    """``units`` is what ``owned_units`` gave, ``seen`` what audit_info found of them, both by name."""
    return [_unit_item(name, unit, seen.get(name)) for name, unit in sorted(units.items())]


def _unit_item(name: str, unit: Mapping[str, Any], found: Mapping[str, str] | None) -> Item:
    role = unit["role"]
    if found is None or found == UNKNOWN:
        return unknown(role, "unit", name, "systemd does not tell")
    loaded, enabled, active = found["load"], found["enabled"], found["active"]
    why = {}
    if unit["own"] and loaded != "loaded":
        why["load"] = f"systemd has it as {loaded}"
    elif found["stale"]:
        why["load"] = "systemd has not read its files since they changed: systemctl daemon-reload"
    if unit["enabled"] and enabled != "enabled":
        why["enabled"] = f"is {enabled}, not enabled" if enabled else "is not enabled"
    if unit["own"] and (active == "failed" or (name.endswith(STARTED) and active != "active")):
        why["active"] = f"failed ({found['result']})" if active == "failed" else f"is {active}, not active"
    return drifted(role, "unit", name, ", ".join(why.values()), list(why)) if why else good(role, "unit", name)
