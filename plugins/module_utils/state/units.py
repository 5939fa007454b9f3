# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Plan which systemd units to stop, start, restart or reload when files change."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..compare.units import changed_by, compare_unit
from ..desired.shapes import Conditions, Unit
from ..desired.units import SCHEDULER_DROP_IN, is_of_systemd, is_unit_file, unit_of
from ..host.units import observe_units


@dataclass(frozen=True)
class UnitPlan:
    stop: list[str] = field(default_factory=list)  #: Units whose main files are removed.
    reload: bool = False
    start: list[str] = field(default_factory=list)  #: Units that must run, and do not run or have changed files.
    restart: list[str] = field(default_factory=list)  #: Units to restart if they run.
    reread: list[str] = field(default_factory=list)  #: Units to reload if they run.

    def __bool__(self) -> bool:
        return bool(self.stop or self.reload or self.start or self.restart or self.reread)

    @property
    def last(self) -> set[str]:
        """The units that are changed after the files are written."""
        return {*self.start, *self.restart, *self.reread}


def plan_units(
    units: Mapping[str, Unit],
    changed: Iterable[str],
    removed: Iterable[str],
    pending: Iterable[str],
    conditions: Conditions,
) -> UnitPlan:
    """``changed`` and ``removed`` are paths. ``pending`` are units that a killed run did not restart."""
    found = observe_units(sorted(units)) if units else {}
    paths = list(changed)
    touched = {unit_of(path) for path in paths} | set(pending)
    touched |= {name for name, unit in units.items() if set(unit.reload_on) & set(paths)}
    gone = {unit_of(path) for path in removed if is_unit_file(path)}
    why = {name: compare_unit(unit, found[name], False, (), {}) for name, unit in units.items()}
    idle = {name for name, unit in units.items() if unit.active and why[name].keys() & {"active", "enabled"}}
    stale = any(state.stale for state in found.values())
    ours = {name: units[name] for name in touched if name in units}
    start = idle | {name for name, unit in ours.items() if unit.active and not unit.reload_on}
    restart = {name for name, unit in ours.items() if unit.restart}
    reread = {name for name, unit in ours.items() if unit.reload or unit.reload_on} - restart - idle
    # The removed drop-in can have put the service into a slice of the collection.
    left = {unit_of(path) for path in removed if path.endswith(f"/{SCHEDULER_DROP_IN}")}
    return UnitPlan(
        stop=sorted(gone - set(units) - {""}),
        reload=conditions.reload or stale or any(is_of_systemd(path) for path in paths),
        start=sorted(start),
        restart=sorted({*restart, *conditions.restarts, *left} - {""}),
        reread=sorted(reread),
    )


def by_others(units: Iterable[Unit], ours: Collection[str]) -> list[str]:
    """What to do about units of the collection that drop-ins of others change. ``ours`` are the collection's paths."""
    own = {unit.name: unit for unit in units if unit.own}
    found = observe_units(sorted(own)) if own else {}
    changed = {name: changed_by(own[name], set(state.drop_ins) - set(ours)) for name, state in found.items()}
    return [
        f"{name} is changed by {', '.join(paths)}: remove that with `rm {shlex.join(paths)} && systemctl daemon-reload`"
        ", and set the role's variables instead"
        for name, paths in changed.items()
        if paths
    ]
