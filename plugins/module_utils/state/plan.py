# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Plan an apply: look at every path, compare, and sort the steps by the accounts that can change their folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from ..compare.paths import IMPLIED, PUT, REFUSE, TAKE, Step, compare_roles
from ..desired.shapes import Entry, Wanted
from ..text import and_more
from .change import without_lost_owner
from .look import OR_GIVE_IT, group_id, not_roots, observe, user_id
from .manifest import Manifest
from .paths import PathState, StateError
from .survey import Survey


class Plan:
    """The steps that change a path or its record.

    ``own``: in folders that only root can change. ``foreign``: in folders of others, with their owners' rights.
    ``astray``: paths of the collection in folders that others may write; nothing is done there. ``open_folders``: the
    steps of ``own`` that correct folders which others may write, and of which root can't see the content until then.
    """

    def __init__(self, wanted: Sequence[Wanted], manifest: Manifest, manifest_path: str) -> None:
        """Raises StateError if a role lists a path twice."""
        _refuse_duplicates(wanted)
        self.wanted = wanted
        self.manifest = manifest
        self.entries = {(role.role, entry.path): entry for role in wanted for entry in role.entries}
        self.warnings: list[str] = []
        self.survey = self._survey()
        self.found = self.survey.found
        # Not a step: saving the manifest creates and removes its folder.
        self.found[os.path.dirname(manifest_path)] = IMPLIED
        entries = self.entries.values()
        steps = compare_roles(
            {role.role: role.states for role in wanted},
            manifest,
            self._look,
            [entry.path for entry in entries if entry.foreign and not self._is_roots(entry.path, entry)],
        )
        changing = [step for role in wanted for step in steps[role.role] if step.action]
        self.own = [self._with_owner(step) for step in changing if self._is_roots(step.path, self.entry(step))]
        others = [step for step in changing if not self._is_roots(step.path, self.entry(step))]
        hidden = [step for step in others if not self._is_foreign(step)]
        ours = [entry.path for entry in entries if not entry.foreign]
        self.astray = [step for step in hidden if any(f"{path}/".startswith(f"{step.path}/") for path in ours)]
        self.foreign = [step for step in others if step not in self.astray]
        self.open_folders = [
            step
            for step in self.own
            if step.action == PUT
            and step.kind == step.found.kind == "directory"
            and any(one.path.startswith(f"{step.path}/") for one in hidden)
        ]

    def entry(self, step: Step) -> Entry | None:
        """The entry of a step; None if its role does not want the path."""
        return self.entries.get((step.role, step.path))

    def is_shown(self, step: Step) -> bool:
        """Whether the path has content that diff mode shows."""
        entry = self.entry(step)
        return step.after.kind == "file" and (entry is None or entry.diff)

    def refuse(self) -> None:
        """Raises StateError if a path of the collection can't be changed, before anything is changed."""
        refused = [f"{step.path} {step.why}" for step in self.own if step.action == REFUSE]
        if refused:
            raise StateError("; ".join(and_more(refused)))

    def missing_accounts(self) -> list[str]:
        """Owners and groups that the host does not have, each with a path that needs it."""
        missing = {}
        for step in self.own:
            for kind, name, find in (("user", step.after.owner, user_id), ("group", step.after.group, group_id)):
                if step.action == PUT and name:
                    try:
                        find(name)
                    except KeyError:
                        missing[f"{kind} {name} does not exist ({step.path})"] = True
        return list(missing)

    def why_astray(self) -> str:
        """One line that names files of the collection in folders that others may write. Empty if there are none."""
        ours = tuple(f"{step.path}/" for step in self.open_folders)  # an apply closes these first
        astray = [step for step in self.astray if not step.path.startswith(ours)]
        if not astray:
            return ""
        first = astray[0]
        why = first.why if first.found.kind == "unreadable" else not_roots(os.path.dirname(first.path))
        more = f" ({len(astray) - 1:,} paths more)" if len(astray) > 1 else ""
        return f"{first.path}{more}: {why.removeprefix(f'{first.path}: ').removesuffix(OR_GIVE_IT)}"

    def _survey(self) -> Survey:
        """The state of every path that is wanted or recorded. Content that belongs to users is not read."""
        theirs = {
            path for (_role, path), entry in self.entries.items() if entry.kind == "file" and entry.content is None
        }
        paths = {path for _role, path in self.entries}
        paths |= {path for role in self.wanted for path in self.manifest.role(role.role).paths}
        return Survey(paths, lambda path: path not in theirs and self.manifest.knows_content(path))

    def _look(self, path: str) -> PathState:
        if path not in self.found:
            self.found[path] = observe(path, content=False)
        return self.found[path]

    def _is_roots(self, path: str, entry: Entry | None) -> bool:
        """Whether only root can change the path. A checkout that does not exist yet is the one of its later owner."""
        if not self.survey.is_roots(path):
            return False
        foreign = entry is not None and entry.foreign
        return not foreign or self._look(os.path.dirname(os.path.dirname(path))).kind != "absent"

    def _is_foreign(self, step: Step) -> bool:
        entry = self.entry(step)
        return entry is not None and entry.foreign

    def _with_owner(self, step: Step) -> Step:
        """A restored file belongs to root if its account is gone: retire must not depend on the account."""
        after = without_lost_owner(step.after) if step.action == TAKE else step.after
        if after == step.after:
            return step
        self.warnings.append(
            f"{step.path} belonged to {step.after.owner}:{step.after.group}, which this host no longer has: it now "
            "belongs to root"
        )
        return replace(step, after=after)


def _refuse_duplicates(wanted: Sequence[Wanted]) -> None:
    for role in wanted:
        paths = [entry.path for entry in role.entries]
        twice = sorted({path for path in paths if paths.count(path) > 1})
        if twice:
            raise StateError(f"{role.role}: listed twice: {', '.join(twice)}")
