# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The units of systemd that files bring or change, and how systemd has them."""

from __future__ import annotations

import posixpath
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host.programs import said
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest

FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
KINDS = (".automount", ".mount", ".path", ".scope", ".service", ".slice", ".socket", ".swap", ".target", ".timer")
PROPERTIES = {"LoadState": "load", "UnitFileState": "enabled", "ActiveState": "active", "Result": "result"}
HALVES = ("Soft", "")  # how the properties of a soft and a hard limit end
UNKNOWN = {"load": "unknown", "enabled": "", "active": "unknown", "result": "", "stale": False}


def unit_of(path: str) -> str:
    """The unit that has its own file, a drop-in or a link that enables it at ``path``; "" for any other path.

    Units that are there under other names only (templates, drop-ins for every session) count as none.
    """
    folder, name = posixpath.split(path)
    if folder not in FOLDERS:
        if posixpath.dirname(folder) not in FOLDERS or not folder.endswith((".d", ".wants", ".requires")):
            return ""
        if folder.endswith(".d"):
            name = posixpath.basename(folder)[:-2]
    stem, suffix = posixpath.splitext(name)
    return name if suffix in KINDS and stem[-1:] not in ("@", "-") else ""


def drop_in_entries(units: Sequence[str], name: str, entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries of host_state: a drop-in ``name`` for each of ``units``, of which those without a kind are services."""
    whole = [unit if unit.endswith(KINDS) else f"{unit}.service" for unit in units]
    return [{**entry, "path": f"{FOLDERS[0]}/{unit}.d/{name}"} for unit in whole]


def recorded_units(manifest: Manifest) -> dict[str, list[str]]:
    """The units that the files in the manifest bring or change, by role."""
    return {name: sorted({unit_of(path) for path in role["paths"]} - {""}) for name, role in manifest.roles.items()}


def observe_recorded_units(manifest: Manifest) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """What observe_units gives for all units of the manifest, and those among them that are stale, by role.

    An apply that was killed between a file and its handler leaves stale ones behind.
    """
    units = recorded_units(manifest)
    seen = observe_units(sorted({name for names in units.values() for name in names}))
    return seen, {role: [name for name in names if seen[name]["stale"]] for role, names in units.items()}


def observe_units(names: Iterable[str], limits: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """``{"x.timer": {"load": "loaded", "enabled": "enabled", "active": "active", "result": "success", "stale":
    whether systemd has not read its files since they changed}}``; "unknown" where systemd does not answer.

    With ``limits``, items of limits.conf such as "as", also what holds after all of a unit's files: ``"drop_ins"``,
    their paths, and ``"limits"``, ``{"as": [soft, hard]}`` with None for no limit, empty for what starts no process.
    Starts one process, and none where there are no names.
    """
    wanted = list(names)
    if not wanted:
        return {}
    properties = [*PROPERTIES, "NeedDaemonReload"]
    if limits is not None:
        properties += ["DropInPaths", *(f"Limit{item.upper()}{half}" for item in limits for half in HALVES)]
    asked = ["systemctl", "show", f"--property={','.join(properties)}", "--", *wanted]
    try:
        blocks = said(asked).strip("\n").split("\n\n")
    except (OSError, subprocess.SubprocessError):
        blocks = []
    if len(blocks) != len(wanted) or not all(blocks):
        return {name: dict(UNKNOWN) for name in wanted}
    found = {}
    for name, block in zip(wanted, blocks):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found[name] = {
            **{key: values.get(property_, "") for property_, key in PROPERTIES.items()},
            "stale": values.get("NeedDaemonReload") == "yes",
        }
        if limits is not None:
            found[name]["drop_ins"] = values.get("DropInPaths", "").split()
            found[name]["limits"] = {
                item: [_limit(values[f"Limit{item.upper()}{half}"]) for half in HALVES]
                for item in limits
                if all(f"Limit{item.upper()}{half}" in values for half in HALVES)
            }
    return found


def _limit(value: str) -> int | None:
    return None if value == "infinity" else int(value)
