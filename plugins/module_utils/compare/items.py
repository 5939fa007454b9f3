# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The only comparison of a host with its policy. site, audit, report, retire and agent-status are views of its result.

Pure: ``compare`` is called on the controller with the observed state, and on the host with the state that it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..audit.record import ItemView
from ..desired.shapes import Condition, Conditions, Wanted
from ..observed.shapes import NOT_KNOWN, Limits, UnitState
from ..state.manifest import Manifest, RoleRecord
from ..state.paths import PathState, differences, in_words
from .paths import FORGET, KEEP, PUT, REFUSE, TAKE, Look, Step, compare_roles
from .units import compare_unit

OK, DRIFTED, UNKNOWN, NOTE = STATUSES = ("ok", "drifted", "unknown", "note")


@dataclass(frozen=True)
class Item:
    """One part of the policy with the result of its comparison, or a note."""

    role: str
    kind: str  #: file, directory, link, unit, package, limits, ...
    name: str
    status: str  #: One of STATUSES.
    why: str = ""  #: One line, if the status is not ok.
    differs: tuple[str, ...] = ()  #: Names of what differs, if it drifted.
    diff: str = ""  #: In the format of diff -u, if it drifted and a diff was requested.

    def view(self) -> ItemView:
        """The item in the audit's JSON."""
        view: ItemView = {"role": self.role, "item": self.name, "kind": self.kind, "status": self.status}
        if self.status != OK:  # an answer of a host can have an empty reason
            view["why"] = self.why
        if self.status == DRIFTED:
            view["differs"] = list(self.differs)
        if self.diff:
            view["diff"] = self.diff
        return view


@dataclass(frozen=True)
class Comparison:
    """The items of one host, and what an apply corrects. ``steps`` are by role, in order of the roles."""

    items: tuple[Item, ...]
    steps: Mapping[str, Sequence[Step]]
    files_differ: bool  #: Paths, units, or settings of systemd and the kernel: a call of host_state corrects them.
    conditions: Conditions

    @property
    def differs(self) -> bool:
        """Whether something drifted or could not be checked."""
        return any(item.status in (DRIFTED, UNKNOWN) for item in self.items)

    def of(self, kind: str) -> list[Item]:
        """The items of one kind that drifted."""
        return [item for item in self.items if item.kind == kind and item.status == DRIFTED]


@dataclass(frozen=True)
class Seen:
    """The state of a host for the comparison."""

    manifest: Manifest
    look: Look
    units: Mapping[str, UnitState]
    record: Mapping[str, tuple[PathState, PathState]]  #: The manifest's own files: desired and found state.
    limits: Limits  #: The limits of agents, for units with ``limited``.


def compare(wanted: Sequence[Wanted], seen: Seen) -> Comparison:
    """Compare the desired state of roles with a host. A path or a unit that several roles need is one item."""
    record = [_record_item(path, *both) for path, both in sorted(seen.record.items())]
    items, known = list(record), set(seen.record)
    foreign = {entry.path for role in wanted for entry in role.entries if entry.foreign}
    steps = compare_roles({role.role: role.states for role in wanted}, seen.manifest, seen.look, foreign)
    for role in wanted:
        for step in steps[role.role]:
            if step.path not in known:
                known.add(step.path)
                items.append(_path_item(step))
        items += [_condition_item(role.role, condition) for condition in role.conditions]
        items += [Item(role.role, note.kind, note.name, NOTE, note.text) for note in role.notes]
    units, conditions = _unit_items(wanted, seen), conditions_of(wanted)
    files_differ = (
        any(step.action for role in steps.values() for step in role)
        or any(item.status != OK for item in [*record, *units])
        or conditions != Conditions()
    )
    return Comparison((*items, *units), steps, files_differ, conditions)


def drifted(wanted: Iterable[Wanted]) -> list[Condition]:
    """The conditions that drifted."""
    return [one for role in wanted for one in role.conditions if one.found is not None and one.found != one.expected]


def conditions_of(wanted: Iterable[Wanted]) -> Conditions:
    """What corrects the conditions that drifted."""
    wrong = drifted(wanted)
    return Conditions(
        any(one.reload for one in wrong),
        tuple(dict.fromkeys(one.restart for one in wrong if one.restart)),
        {one.name: int(one.expected or 0) for one in wrong if one.setting},
    )


def not_compared(manifest: Manifest | None, why: str) -> tuple[Item, ...]:
    """The items of a host that could not be compared: the paths and trees in its manifest."""
    found: dict[str, Item] = {}
    for name, role in (manifest.roles if manifest else {}).items():
        for path, record in sorted(role.paths.items()):
            if record.state.kind != "absent":
                found.setdefault(path, Item(name, record.state.kind, path, UNKNOWN, f"not compared: {why}"))
        for tree in role.trees:
            found.setdefault(tree, Item(name, "toolchain", tree, UNKNOWN, f"not compared: {why}"))
    return tuple(found.values())


_NAMES = {"sha256": "content"}


def _path_item(step: Step) -> Item:
    kind = "file" if step.kind == "absent" else step.kind
    if step.action == REFUSE and step.found.kind == "unreadable":
        return Item(step.role, kind, step.path, UNKNOWN, step.why)
    if step.action in (PUT, TAKE, FORGET, KEEP, REFUSE):
        differs = ("kind",) if "kind" in step.differs else tuple(_NAMES.get(name, name) for name in step.differs)
        return Item(step.role, kind, step.path, DRIFTED, step.why, differs)
    if step.why:
        return Item(step.role, kind, step.path, NOTE, step.why)
    return Item(step.role, kind, step.path, OK)


def _record_item(path: str, wanted: PathState, found: PathState) -> Item:
    names = differences(wanted, found)
    status = DRIFTED if names else OK
    return Item("agent_policy", wanted.kind, path, status, in_words(wanted, found, names), tuple(names))


def _condition_item(role: str, condition: Condition) -> Item:
    if condition.found is None:
        return Item(role, condition.kind, condition.name, UNKNOWN, condition.why)
    if condition.found == condition.expected:
        return Item(role, condition.kind, condition.name, OK)
    return Item(role, condition.kind, condition.name, DRIFTED, condition.why, tuple(condition.differs.split()))


def _unit_items(wanted: Sequence[Wanted], seen: Seen) -> list[Item]:
    """One item per unit: two roles may both have a drop-in for it."""
    ours = {path for path, _record in seen.manifest.records()}
    ours |= {entry.path for role in wanted for entry in role.entries}
    roles: dict[str, str] = {}
    reasons: dict[str, dict[str, str]] = {}
    for role in wanted:
        restarts = seen.manifest.roles.get(role.role, RoleRecord()).restarts
        for unit in role.units:
            found = seen.units.get(unit.name, NOT_KNOWN)
            why = compare_unit(unit, found, unit.name in restarts, ours, seen.limits)
            roles.setdefault(unit.name, role.role)
            reasons.setdefault(unit.name, {}).update(why)
    items = []
    for name, why in sorted(reasons.items()):
        if seen.units.get(name, NOT_KNOWN) == NOT_KNOWN:
            items.append(Item(roles[name], "unit", name, UNKNOWN, "systemd gives no answer"))
        else:
            status = DRIFTED if why else OK
            items.append(Item(roles[name], "unit", name, status, ", ".join(why.values()), tuple(why)))
    return items
