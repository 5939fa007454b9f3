# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Bring this host to the desired state: compare, validate, save the plan in the manifest, write, save the result.

The manifest is saved before the first change and after the last one. So if a run is killed, the next run and retire
know every path that it wrote.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Callable

from ..compare.paths import KEEP, PUT, TAKE, Step, record_step
from ..desired.shapes import Conditions, Wanted
from ..host.kernel import set_settings
from ..host.systemd import Systemd, UnitError
from ..observed.answers import Outcome
from . import change as state_change
from .diff import listed, piece
from .foreign_steps import ForeignSteps
from .lock import locked
from .look import read
from .manifest import Manifest
from .originals import Originals
from .paths import ABSENT, NotJudged, StateError
from .plan import Plan
from .repair import repair_record, wrong_record
from .units import UnitPlan, by_others, plan_units

FEW = 20  # more new folders, links and library files, or more removed paths, are one list in diff mode
Validate = Callable[[str, str], None]  #: (command with %s, path): raises StateError if the command refuses the file.


class ApplyError(Exception):
    """A change failed. ``outcome`` has the changes that were made before."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


def apply(
    wanted: Sequence[Wanted],
    manifest_path: str,
    *,
    check_mode: bool,
    validate: Validate,
    conditions: Conditions,
    systemd: Systemd,
) -> Outcome:
    """Apply ``wanted``. Raises StateError and ManifestError if nothing was changed, and ApplyError after a change."""
    with nullcontext() if check_mode else locked():
        new_run = partial(_Run, wanted, manifest_path, check_mode, validate, conditions, systemd)
        run, closed = new_run(), Outcome()
        while not check_mode and run.close_folders(closed):
            run = new_run()
        outcome = run.run()
    outcome.changed = outcome.changed or closed.changed
    outcome.changed_paths[:0] = closed.changed_paths
    outcome.diff[:0] = closed.diff
    return outcome


@dataclass
class _Run:
    wanted: Sequence[Wanted]
    manifest_path: str
    check_mode: bool
    validate: Validate
    conditions: Conditions
    systemd: Systemd

    def __post_init__(self) -> None:
        self.manifest = Manifest.load(self.manifest_path)
        self.originals = Originals(os.path.dirname(self.manifest_path))
        self.outcome = Outcome()
        self.plan = Plan(self.wanted, self.manifest, self.manifest_path)
        self.outcome.warnings += self.plan.warnings
        self.steps = self.plan.own
        self.foreign = ForeignSteps(self.plan.foreign, self.manifest, self.originals, self.outcome, self.check_mode)

    def close_folders(self, outcome: Outcome) -> bool:
        """Correct folders of the collection that others may write. Until then root can't look into them.

        Returns whether there were any, and adds them to ``outcome``."""
        # Each folder once: some file systems ignore the new mode.
        open_folders = [step for step in self.plan.open_folders if step.path not in outcome.changed_paths]
        if not open_folders:
            return False
        self.plan.refuse()
        self._validate_contents()
        for step in open_folders:
            state_change.set_attributes(step.path, step.after)
            outcome.changed_paths.append(step.path)
            outcome.diff += piece(step.path, step.found, step.after, None, False)
        outcome.changed = True
        return True

    def run(self) -> Outcome:
        self.plan.refuse()
        missing = self.plan.missing_accounts()
        if missing and not self.check_mode:
            raise StateError(f"{missing[0]}: create it first")
        self.outcome.pending = missing
        self._validate_contents()
        self._describe()
        if all(step.action == KEEP and self.manifest.role(step.role).paths[step.path].kept for step in self.steps):
            self.steps = []  # left by an earlier run, and only reported again
        units = self._unit_plan()
        settings, astray = self.conditions.settings, self.plan.why_astray()
        wrong = wrong_record(self.manifest_path)
        if self.check_mode:
            self.outcome.warnings += [astray] if astray else []
            self.foreign.apply()
            self.outcome.changed = self.outcome.changed or bool(self.steps or units or settings or wrong)
        else:
            if self.steps or units or settings or self.foreign.steps:
                self._execute(units)
            repair_record(self.manifest_path)
            self.outcome.changed = self.outcome.changed or bool(wrong)
        self.outcome.changed_paths += wrong
        ours = {path for path, _record in self.manifest.records()}
        self.outcome.warnings += by_others((unit for role in self.wanted for unit in role.units), ours)
        if astray and not self.check_mode:
            raise ApplyError(f"{astray}; everything else was done", self.outcome)
        return self.outcome

    def _validate_contents(self) -> None:
        """Validate new content with the command of each file, before anything is changed. Raises StateError.

        A file that the host can't check is left out, because a fault of others must not block the rest."""
        for step in list(self.steps):
            entry = self.plan.entry(step)
            if entry and entry.validate and step.changes:
                try:
                    with tempfile.NamedTemporaryFile(prefix="nova-agent-") as candidate:
                        candidate.write(entry.text.encode())
                        candidate.flush()
                        self.validate(entry.validate, candidate.name)
                except NotJudged as error:
                    self.steps.remove(step)
                    self.outcome.left_out[step.path] = str(error)
                except StateError as error:
                    raise StateError(f"{step.path} is not written, because its check failed: {error}") from None
                except OSError as error:
                    raise StateError(
                        f"{step.path}: can't write the temporary file that is validated: {error.strerror}"
                    ) from error

    def _describe(self) -> None:
        """Add the changes of the plan to the outcome."""
        self.outcome.kept += [step.path for step in self.steps if step.action == KEEP]
        changing = {step.path: step for step in self.steps if step.changes}
        self.outcome.changed_paths = list(changing)
        new = {
            path: step.after for path, step in changing.items() if step.found == ABSENT and not self.plan.is_shown(step)
        }
        removed = {path: step.found for path, step in changing.items() if step.after == ABSENT}
        new, removed = (states if len(states) > FEW else {} for states in (new, removed))
        self.outcome.diff += listed("new paths", {}, new) + listed("removed paths", removed, {})
        for path, step in changing.items():
            if path not in new and path not in removed:
                self.outcome.diff += piece(path, step.found, step.after, self._content(step), self.plan.is_shown(step))

    def _content(self, step: Step) -> bytes | None:
        if step.after.kind != "file":
            return None
        if step.action == PUT:
            entry = self.plan.entry(step)
            return entry.text.encode() if entry else None
        if not step.before.sha256:
            return None
        return self.originals.read(step.before.sha256)

    def _unit_plan(self) -> UnitPlan:
        changed = [step.path for step in self.steps if step.changes]
        removed = [step.path for step in self.steps if step.after == ABSENT]
        pending = [name for role in self.wanted for name in self.manifest.role(role.role).restarts]
        units = {unit.name: unit for role in self.wanted for unit in role.units}
        return plan_units(units, changed, removed, pending, self.conditions)

    def _execute(self, units: UnitPlan) -> None:
        self._record(units)
        self.outcome.changed_paths = []
        done = 0
        try:
            self.outcome.changed_units += self.systemd.stop(units.stop)
            for step in self.steps:
                self._change(step)
                done += 1
        except (OSError, StateError, UnitError) as error:
            why = str(error)
            if isinstance(error, OSError) and done < len(self.steps):
                path = self.steps[done].path
                why = f"{path}: {state_change.reason(path, error)}"
            self.outcome.changed = bool(self.outcome.changed_paths or self.outcome.changed_units)
            raise ApplyError(
                f"{why}; {done} of {len(self.steps)} steps were done, the next apply continues there", self.outcome
            ) from error
        problems = self._load(units)
        self.outcome.changed = bool(self.steps or units or self.conditions.settings)
        self.foreign.apply()
        for role in self.wanted if not problems else ():
            self.manifest.role(role.role).restarts = []
        self.originals.keep_only({record.before.sha256 for _path, record in self.manifest.records()} - {""})
        self.manifest.save(self.manifest_path)
        if problems:
            raise ApplyError(
                f"{'; '.join(problems)}; everything else was done, and the next apply tries this again", self.outcome
            )

    def _record(self, units: UnitPlan) -> None:
        """Record the planned changes."""
        for step in self.steps:
            if step.action == PUT:
                self._save_original(step)
            if step.action in (PUT, KEEP):
                record_step(self.manifest, step)
        self.foreign.record()
        for role in self.wanted:
            ours = {unit.name for unit in role.units}
            self.manifest.role(role.role).restarts = sorted(units.last & ours)
        self.manifest.save(self.manifest_path)

    def _change(self, step: Step) -> None:
        if step.action in (PUT, TAKE) and step.changes:
            state_change.put(step.path, step.after, self._content(step))
            if step.action == TAKE and step.after == ABSENT and os.path.lexists(step.path):
                self.outcome.kept.append(step.path)  # a folder that has other files
                record_step(self.manifest, replace(step, action=KEEP))
                return
            if step.path not in self.outcome.changed_paths:
                self.outcome.changed_paths.append(step.path)
        record_step(self.manifest, step)

    def _load(self, units: UnitPlan) -> list[str]:
        """Reload systemd, and bring units to the desired state. Return failures: an agent can prevent the start of a
        service, but must not block the rest of the policy."""
        systemd, warnings = self.systemd, self.outcome.warnings
        problems: list[str] = []
        others = {unit.name for role in self.wanted for unit in role.units if unit.reload}
        acts: list[tuple[Callable[[], list[str]], list[str]]] = [
            *([(systemd.reload, problems)] if units.reload else []),
            (lambda: systemd.start(units.start), problems),
            (lambda: systemd.try_restart(units.restart), problems),
            (lambda: systemd.try_reread([name for name in units.reread if name not in others]), problems),
            # A service of others keeps its old configuration if that on disk is wrong.
            (lambda: systemd.try_reread([name for name in units.reread if name in others]), warnings),
            (lambda: set_settings(self.conditions.settings), problems),
        ]
        for act, failures in acts:
            try:
                self.outcome.changed_units += act()
            except (StateError, UnitError) as error:
                failures.append(str(error))
        return problems

    def _save_original(self, step: Step) -> None:
        """Store the original, so that it can be restored when the role is removed."""
        original = step.before.sha256
        if original and step.changes and step.found.sha256 == original:
            self.originals.keep(original, read(step.path))
