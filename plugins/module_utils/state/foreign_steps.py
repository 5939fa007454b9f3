# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Steps in folders of others: links in checkouts. They are the last steps, and a failure is only a warning."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from ..compare.paths import FORGET, KEEP, PUT, REFUSE, TAKE, Step, record_step
from ..observed.answers import Outcome
from . import foreign
from .diff import piece
from .manifest import Manifest, Record
from .originals import Originals
from .paths import ABSENT, PathState, StateError

FOLDER = PathState("directory", mode="0755")


class ForeignSteps:
    def __init__(
        self, steps: Sequence[Step], manifest: Manifest, originals: Originals, outcome: Outcome, check_mode: bool
    ) -> None:
        self.steps = steps
        self.check_mode = check_mode
        self.manifest = manifest
        self.originals = originals
        self.outcome = outcome
        self.before = {step.path: step.found for step in steps}

    def record(self) -> None:
        """Record the links that will be created, and store the originals."""
        puts = [step for step in self.steps if step.action == PUT]
        for step, found in zip(puts, foreign.observe([step.path for step in puts])):
            self.before[step.path] = found.state
            if found.content is not None and found.state.sha256 and step.before == found.state:
                self.originals.keep(found.state.sha256, found.content)
            record_step(self.manifest, step)
            if not found.folder:
                folder = os.path.dirname(step.path)
                self.manifest.role(step.role).paths[folder] = Record(FOLDER, ABSENT, implied=True)

    def apply(self) -> None:
        """In check mode, the manifest changes only in memory."""
        self._put([step for step in self.steps if step.action == PUT])
        self._take([step for step in self.steps if step.action == TAKE and step.kind == "link"])
        for step in self.steps:
            if step.action in (KEEP, FORGET) or (step.action == TAKE and step.kind != "link"):
                record_step(self.manifest, replace(step, action=KEEP if step.action == KEEP else FORGET))
            if step.action == KEEP:
                self.outcome.kept.append(step.path)
            elif step.action == REFUSE:
                self.outcome.warnings.append(_described(step))

    def _put(self, steps: Sequence[Step]) -> None:
        links = [foreign.ForeignLink(step.path, step.after.target, self.before[step.path]) for step in steps]
        for step, result in zip(steps, foreign.put_links(links, self.check_mode)):
            self._note(step, result)
            if result.outcome == "left":
                self.outcome.left_out[step.path] = result.why.removeprefix(f"{step.path}: ")
            if result.outcome == "left" and step.found.kind != "link":
                self.manifest.role(step.role).paths.pop(step.path, None)

    def _take(self, steps: Sequence[Step]) -> None:
        links, taken = [], []
        for step in steps:
            paths = self.manifest.role(step.role).paths
            folder = paths.get(os.path.dirname(step.path))
            try:
                content = self.originals.read(step.before.sha256) if step.before.sha256 else None
            except (OSError, StateError) as error:
                self.outcome.warnings.append(f"{step.path}: {error}")
                continue
            made = folder is not None and folder.implied
            target = paths[step.path].state.target
            links.append(foreign.ForeignLink(step.path, target, step.before, content, made))
            taken.append(step)
        for step, result in zip(taken, foreign.take_back(links, self.check_mode)):
            self._note(step, result)
            if result.outcome == "left":
                self.outcome.warnings.append(result.why)
            record_step(self.manifest, replace(step, action=KEEP) if result.outcome == "left" else step)

    def _note(self, step: Step, result: foreign.Result) -> None:
        if result.outcome == "changed":
            self.outcome.changed = True
            self.outcome.changed_paths.append(step.path)
            self.outcome.diff += piece(step.path, self.before[step.path], step.after, None, False)
        elif result.outcome == "right" and (step.changes or step.action == PUT):
            self.outcome.changed = True  # only the record changes


def _described(step: Step) -> str:
    return step.why if step.path in step.why else f"{step.path} {step.why}"
