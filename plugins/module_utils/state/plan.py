# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Which steps take a host from what it holds to what a role wants of it.

Pure: the controller calls it with what was observed (no steps: no trip), the host with what it finds.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import (
    ABSENT,
    COMPARED,
    TOO_LARGE,
    State,
    StateError,
    differences,
)

IMPLIED: State = {"kind": "directory", "mode": "0755", "owner": "root", "group": "root", "implied": True}


@dataclass(frozen=True)
class Step:
    """One path: ``found`` there, ``after`` this step, and what stood there ``before`` the first apply.

    ``action`` is ``put`` (after is what the role wants), ``take`` (the role wants it no longer: after is before),
    ``keep`` (no longer wanted, but edited since it was written: left, and reported) or ``forget`` (no longer wanted,
    and not ours to touch: another role holds it, or it is gone already).
    """

    action: str
    path: str
    found: State
    after: State
    before: State

    @property
    def changes(self) -> bool:
        """Whether the path itself changes, not only its record."""
        return self.action in ("put", "take") and bool(differences(self.after, self.found))


def bare(record: Mapping[str, Any]) -> State:
    """A manifest entry's state, without what the manifest notes beside it."""
    return {name: record[name] for name in COMPARED[record["kind"]] if name in record}


def expand(wanted: Mapping[str, State], manifest: Manifest, exists: Callable[[str], bool]) -> dict[str, State]:
    """``wanted`` with the parent folders that are missing, or that an earlier apply of any role had to make."""
    full = dict(wanted)
    records = [item for role in manifest.roles.values() for item in role["paths"].items()]
    implied = {path for path, record in records if record.get("implied")}
    for path in [path for path, state in wanted.items() if state["kind"] != "absent"]:
        parent = posixpath.dirname(path)
        while parent != "/" and parent not in full:
            if parent in implied or not exists(parent):
                full[parent] = dict(IMPLIED)
            parent = posixpath.dirname(parent)
    return dict(sorted(full.items()))  # a folder comes before what lies in it


def plan(
    role: str,
    wanted: Mapping[str, State],
    manifest: Manifest,
    look: Callable[[str], State | None],
) -> list[Step] | None:
    """The steps for ``role``, in order; empty where all is right, None where ``look`` does not know a path.

    ``look`` gives a path's state, or None where it was not observed. Entries that were kept because somebody edited
    them are looked at again where nothing is wanted any more (the role is taken out). Raises StateError where a step
    would destroy what is not ours.
    """
    recorded = manifest.roles.get(role, {}).get("paths", {})
    steps: list[Step] = []
    replaced: list[
        str
    ] = []  # what stands in the place of a folder, a link perhaps, goes with all that is seen through it

    def look_below(path: str) -> State | None:
        return dict(ABSENT) if path.startswith(tuple(replaced)) else look(path)

    for path, state in expand(wanted, manifest, lambda folder: look(folder) != ABSENT).items():
        found = look_below(path)
        if found is None:
            return None
        record = recorded.get(path)
        if record and bare(record) == bare(state) and not record.get("kept") and not differences(state, found):
            continue
        before = record["before"] if record else _before(path, manifest, found)
        if state["kind"] == "file" and "sha256" not in state:
            before = {name: value for name, value in before.items() if name != "sha256"}  # nor is it ours to put back
        refuse_to_destroy(path, state, found, ours=bool(record))
        steps.append(Step("put", path, found, state, before))
        if state["kind"] == "directory" and found["kind"] not in ("directory", "absent"):
            replaced.append(f"{path}/")
    for path in sorted(set(recorded) - {step.path for step in steps} - set(wanted), reverse=True):
        record = recorded[path]
        if record.get("kept") and wanted:
            continue
        if record.get("implied") and any(name.startswith(path + "/") for name in wanted):
            continue
        found = look_below(path)
        if found is None:
            return None
        steps.append(_take(role, path, record, found, manifest))
    return steps


def _before(path: str, manifest: Manifest, found: State) -> State:
    """What stood at ``path`` before any role of ours came: the record of the first one tells."""
    for holder in manifest.holders(path):
        before: State = manifest.roles[holder]["paths"][path]["before"]
        return before
    return found


def refuse_to_destroy(path: str, wanted: State, found: State, ours: bool) -> None:
    """Raise StateError where taking ``path`` to ``wanted`` would lose what stands there."""
    kinds = (wanted["kind"], found["kind"])
    if kinds[1] == "unreadable":
        raise StateError(found.get("why") or f"{path} may not be read")
    if kinds[1] == "special":
        raise StateError(f"{path} is a device, socket or FIFO and is not replaced: move it away")
    if kinds[1] == "directory" and kinds[0] != "directory":
        raise StateError(f"{path} is a directory and is not replaced by a {kinds[0]}: move it away")
    if found.get("sha256") == TOO_LARGE and not ours:
        raise StateError(f"{path} is a file too large to be kept for retire, and is not replaced: move it away")
    if kinds[0] == "directory" and kinds[1] in ("file", "link") and not ours:
        raise StateError(f"{path} is a {kinds[1]} and is not replaced by a directory: move it away")


def _take(role: str, path: str, record: Mapping[str, Any], found: State, manifest: Manifest) -> Step:
    before = record["before"]
    if [name for name in manifest.holders(path) if name != role] or not differences(before, found):
        return Step("forget", path, found, found, before)
    edited = [name for name in differences(bare(record), found) if name in ("kind", "sha256", "target")]
    if edited and found != ABSENT:
        return Step("keep", path, found, found, before)
    return Step("take", path, found, before, before)
