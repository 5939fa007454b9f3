# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Compare the paths of a role with the host, and choose what an apply does with each. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from ..state.manifest import Manifest, Record, RoleRecord
from ..state.paths import ABSENT, TOO_LARGE, PathState, differences, in_words

Look = Callable[[str], PathState]  #: The state of a path; its kind is unreadable if the state is not known.

IMPLIED = PathState("directory", mode="0755", owner="root", group="root")
PASSABLE = ("directory", "link", "unreadable")  # kinds of parent folders that do not change; a file is refused

NONE = ""  #: Nothing to do.
PUT = "put"  #: Bring the path, or only its record in the manifest, to the desired state.
TAKE = "take"  #: No longer wanted: restore the original.
KEEP = "keep"  #: No longer wanted, but edited: leave it and report it.
FORGET = "forget"  #: No longer wanted, and not to be changed: another role needs it, or it is the original already.
REFUSE = "refuse"  #: A change would lose data, or the path can't be read.


@dataclass(frozen=True)
class Step:
    """One path of one role: its difference, and what an apply does with it."""

    role: str
    path: str
    kind: str  #: Of the desired state, or of the record if it is no longer wanted.
    action: str
    found: PathState
    after: PathState  #: The state after the step.
    before: PathState  #: The state before the first apply.
    implied: bool = False
    why: str = ""
    differs: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the path itself changes, and not only its record."""
        return self.action in (PUT, TAKE) and bool(differences(self.after, self.found))


def compare_roles(
    wanted: Mapping[str, Mapping[str, PathState]], manifest: Manifest, look: Look, foreign: Collection[str] = ()
) -> dict[str, list[Step]]:
    """The steps of several roles, in their order: each is compared as if the steps before it were done.

    Parent folders of ``foreign`` paths belong to others and are not compared.
    """
    after = Manifest({name: replace(role, paths=dict(role.paths)) for name, role in manifest.roles.items()})
    shared = Shared(manifest, wanted)
    steps: dict[str, list[Step]] = {}
    for role, states in wanted.items():
        steps[role] = _steps(role, states, after, look, foreign, shared)
        for step in steps[role]:
            record_step(after, step)
    return steps


class Shared:
    """State that roles share in one comparison, so that a path can move from one role to another."""

    def __init__(self, manifest: Manifest, wanted: Mapping[str, Collection[str]]) -> None:
        self.manifest = manifest  #: Before any step.
        self._wanted = {path for paths in wanted.values() for path in paths}
        # Folders that an earlier apply created, and the paths for which they exist.
        self.implied = {
            path
            for name, role in manifest.roles.items()
            for path, record in role.paths.items()
            if record.implied or (name in wanted and path not in self._wanted)
        }

    def needed(self, path: str) -> bool:
        """Whether a role wants ``path`` itself, or something below it."""
        return path in self._wanted or any(one.startswith(f"{path}/") for one in self._wanted)


def record_step(manifest: Manifest, step: Step) -> None:
    """Record in ``manifest`` that ``step`` was done."""
    paths = manifest.role(step.role).paths
    if step.action == PUT:
        paths[step.path] = Record(step.after, step.before, step.implied)
    elif step.action == KEEP:
        paths[step.path] = replace(paths[step.path], kept=True)
    elif step.action in (TAKE, FORGET):
        paths.pop(step.path, None)


def _steps(
    role: str,
    wanted: Mapping[str, PathState],
    manifest: Manifest,
    look: Look,
    foreign: Collection[str],
    shared: Shared,
) -> list[Step]:
    """A step for every path that ``role`` wants, with missing parent folders, and for every path of its record."""
    recorded = manifest.roles.get(role, RoleRecord()).paths
    replaced: list[str] = []  # folders that replace a link or a file: the paths below them will not exist then

    def look_below(path: str) -> PathState:
        return ABSENT if path.startswith(tuple(replaced)) else look(path)

    full = _expand(wanted, shared.implied, lambda folder: look(folder).kind in PASSABLE, foreign)
    steps = []
    for path, (state, implied) in full.items():
        step = _wanted(role, path, state, implied, look_below(path), manifest, shared)
        steps.append(step)
        if step.action == PUT and state.kind == "directory" and step.found.kind not in ("directory", "absent"):
            replaced.append(f"{path}/")
    for path in sorted(set(recorded) - set(full), reverse=True):
        record = recorded[path]
        if record.implied and any(name.startswith(path + "/") for name in wanted):
            continue
        if record.kept and wanted:
            steps.append(_left(role, path, record, look_below(path)))
        else:
            steps.append(_unwanted(role, path, record, look_below(path), manifest, shared))
    return steps


def _expand(
    wanted: Mapping[str, PathState],
    implied: Collection[str],
    exists: Callable[[str], bool],
    foreign: Collection[str],
) -> dict[str, tuple[PathState, bool]]:
    """``wanted``, and the parent folders that are missing or that an earlier apply created. Each with whether it is a
    parent folder. A folder comes before its content."""
    full = {path: (state, False) for path, state in wanted.items()}
    for path in [path for path, state in wanted.items() if state.kind != "absent" and path not in foreign]:
        parent = posixpath.dirname(path)
        while parent != "/" and parent not in full:
            if parent in implied or not exists(parent):
                full[parent] = (IMPLIED, True)
            parent = posixpath.dirname(parent)
    return dict(sorted(full.items()))


def _wanted(
    role: str, path: str, state: PathState, implied: bool, found: PathState, manifest: Manifest, shared: Shared
) -> Step:
    record = manifest.roles.get(role, RoleRecord()).paths.get(path)
    before = record.before if record else _before(path, manifest, _before(path, shared.manifest, found))
    if state.kind == "file" and not state.sha256:
        before = replace(before, sha256="")  # the collection does not manage its content, so it does not restore it
    step = Step(role, path, state.kind, NONE, found, state, before, implied)
    if found.kind == "unreadable":
        return replace(step, action=REFUSE, why=found.why or "may not be read")
    names = differences(state, found)
    if names:
        why = in_words(state, found, names)
        refusal = _refusal(path, state, found, ours=bool(shared.manifest.holders(path)))
        if refusal:
            return replace(step, action=REFUSE, why=f"{why}; {refusal}", differs=tuple(names))
        return replace(step, action=PUT, why=why, differs=tuple(names))
    if record is None or record.kept or record.state != state:
        return replace(step, action=PUT, why="is as wanted, but the manifest has another state", differs=("manifest",))
    return step


def _before(path: str, manifest: Manifest, found: PathState) -> PathState:
    """The state of ``path`` before the first role wrote it, from the record of that role."""
    for holder in manifest.holders(path):
        return manifest.roles[holder].paths[path].before
    return found


def _refusal(path: str, wanted: PathState, found: PathState, ours: bool) -> str:
    """Why ``found`` is not replaced: data would be lost. Empty if it is replaced."""
    if found.kind == "special" or (found.kind == "directory" and wanted.kind != "directory"):
        return f"{path} is not replaced: move it away"
    if found.sha256 == TOO_LARGE and not ours:
        return f"{path} is too large to be kept for retire, and is not replaced: move it away"
    if wanted.kind == "directory" and found.kind in ("file", "link") and not ours:
        return f"{path} is not replaced by a directory: move it away"
    return ""


def _left(role: str, path: str, record: Record, found: PathState) -> Step:
    why = "is no longer wanted, but was edited or has other content: left in place"
    return Step(role, path, record.state.kind, NONE, found, found, record.before, why=why)


def _unwanted(role: str, path: str, record: Record, found: PathState, manifest: Manifest, shared: Shared) -> Step:
    step = Step(role, path, record.state.kind, FORGET, found, found, record.before, differs=("manifest",))
    if found.kind == "unreadable":
        return replace(step, action=REFUSE, why=found.why or "may not be read")
    others = [name for name in manifest.holders(path) if name != role]
    if others or shared.needed(path) or not differences(record.before, found):
        return replace(step, why="is no longer wanted, but the manifest still has it")
    why = "is no longer wanted, but still exists"
    edited = [name for name in differences(record.state, found) if name in ("kind", "sha256", "target")]
    if edited and found != ABSENT:
        return replace(step, action=KEEP, why=why, differs=("kind",))
    return replace(step, action=TAKE, after=record.before, why=why, differs=("kind",))
