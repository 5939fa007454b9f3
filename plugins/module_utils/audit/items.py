# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The items of an audit, and those of them that are files, folders and links.

Pure: the controller calls it with what was observed, the host with what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import (
    ABSENT,
    State,
    StateError,
    differences,
    in_words,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.plan import bare, expand, refuse_to_destroy

# {"role", "item", "kind", "status"}; where the status is not ok "why" (one line); where it drifted "differs" (names)
# and mostly "diff" (text, or while it is on its way the pieces of diff mode).
Item = dict[str, Any]

OK = "ok"
DRIFTED = "drifted"
UNKNOWN = "unknown"  # not checkable
NOTE = "note"  # told, and nothing that this collection holds


def good(role: str, kind: str, name: str) -> Item:
    return {"role": role, "item": name, "kind": kind, "status": OK}


def drifted(role: str, kind: str, name: str, why: str, differs: Sequence[str]) -> Item:
    return {**good(role, kind, name), "status": DRIFTED, "why": why, "differs": list(differs)}


def unknown(role: str, kind: str, name: str, why: str) -> Item:
    return {**good(role, kind, name), "status": UNKNOWN, "why": why}


def note(role: str, kind: str, name: str, why: str) -> Item:
    return {**good(role, kind, name), "status": NOTE, "why": why}


def limits_that_differ(
    wanted: Mapping[str, Sequence[int | None]], found: Mapping[str, Sequence[int | None]]
) -> tuple[list[str], str]:
    """Which limits (soft and hard by item, None for none) are others than wanted, and the same in words."""
    wrong = [item for item, pair in wanted.items() if found.get(item) != list(pair)]
    return wrong, ", ".join(f"{item} {_pair(found.get(item))}, not {_pair(wanted[item])}" for item in wrong)


def _pair(limits: Sequence[int | None] | None) -> str:
    soft, hard = ("unlimited" if value is None else str(value) for value in limits or (None, None))
    return soft if soft == hard else f"{soft}:{hard}"


def state_items(
    role: str, wanted: Mapping[str, State], manifest: Manifest, look: Callable[[str], State | None]
) -> list[Item]:
    """An item for each path that ``role`` wants, with the folders that it implies, and for each that it wants no more.

    ``look`` gives a path's state, None where nobody looked, or raises OSError.
    """
    found: dict[str, State] = {}

    def seen(path: str) -> State:
        if path not in found:
            try:
                found[path] = look(path) or {"kind": "unreadable", "why": "was not looked at"}
            except OSError as error:
                found[path] = {"kind": "unreadable", "why": error.strerror}
        return found[path]

    recorded = manifest.roles.get(role, {}).get("paths", {})
    full = expand(wanted, manifest, lambda folder: seen(folder) != ABSENT)
    items = [_wanted(role, path, state, seen(path), recorded.get(path)) for path, state in full.items()]
    return items + [
        _unwanted(role, path, recorded[path], seen(path), manifest) for path in sorted(set(recorded) - set(full))
    ]


def _wanted(role: str, path: str, state: State, found: State, record: Mapping[str, Any] | None) -> Item:
    kind = "file" if state == ABSENT else state["kind"]
    if found["kind"] == "unreadable":
        return unknown(role, kind, path, found.get("why") or "may not be read")
    names = differences(state, found)
    if names:
        why = in_words(state, found, names)
        try:
            refuse_to_destroy(path, state, found, ours=bool(record))
        except StateError:
            why += "; site does not replace it: move it away"
        return drifted(
            role, kind, path, why, ["kind"] if "kind" in names else [_NAMES.get(name, name) for name in names]
        )
    if record is None or record.get("kept") or bare(record) != bare(state):
        return drifted(role, kind, path, "is right, but the manifest does not have it so", ["manifest"])
    return good(role, kind, path)


def _unwanted(role: str, path: str, record: Mapping[str, Any], found: State, manifest: Manifest) -> Item:
    kind = "file" if record["kind"] == "absent" else record["kind"]
    if found["kind"] == "unreadable":
        return unknown(role, kind, path, found.get("why") or "may not be read")
    if record.get("kept"):
        return note(role, kind, path, "is no longer wanted, but was edited or filled: left in place")
    if manifest.holders(path) != [role] or not differences(record["before"], found):
        return drifted(role, kind, path, "is no longer wanted, and the manifest still has it", ["manifest"])
    return drifted(role, kind, path, "is no longer wanted, and still there", ["kind"])


_NAMES = {"sha256": "content"}
