# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Taking this host to what a role wants of it: plan, record what will be written, write, record what was written.

The manifest is written before the first file and after the last: a run that is killed between the two leaves nothing
on the host that the next run, or retire, does not know as ours.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Callable

from ansible_collections.nova.agent_host.plugins.module_utils.state import change as state_change
from ansible_collections.nova.agent_host.plugins.module_utils.state import plan as state_plan
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe, read
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Run, locked
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import (
    COMPARED,
    TOO_LARGE,
    State,
    StateError,
    wanted_state,
)

Validate = Callable[[str, str], None]  # (command with %s, path): raises StateError where the command refuses the file


@dataclass
class Outcome:
    """``changed_paths``: what was (or in check mode would be) written or removed; ``kept``: what was left because
    somebody edited it or put something into it; ``pending``: accounts that a run would have to make first."""

    changed: bool = False
    changed_paths: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)


class ApplyError(Exception):
    """A path that could not be changed; ``outcome`` tells what had been done before."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


def apply(
    role: str,
    entries: Sequence[Mapping[str, Any]],
    manifest_path: str,
    *,
    check_mode: bool,
    validate: Validate,
    run: Run | None = None,
) -> Outcome:
    """Apply ``entries`` for ``role``. Raises StateError, ManifestError (nothing changed), ApplyError (part changed)."""
    wanted = {entry["path"]: wanted_state(entry) for entry in entries}
    if len(wanted) < len(entries):
        paths = [entry["path"] for entry in entries]
        raise StateError(
            f"{role}: listed twice: {', '.join(sorted({path for path in paths if paths.count(path) > 1}))}"
        )
    by_path = {entry["path"]: entry for entry in entries}
    with ExitStack() as stack:
        if not check_mode:
            stack.enter_context(locked())
        manifest = Manifest.load(manifest_path)
        steps = state_plan.plan(role, wanted, manifest, look_from(manifest_path, manifest, wanted)) or []
        outcome = Outcome(changed=bool(steps), pending=_missing_accounts(steps))
        if outcome.pending and not check_mode:
            raise StateError(f"{outcome.pending[0]}: create it before the files that it is to own")
        work = _Work(role, manifest, manifest_path, by_path, validate, outcome, run)
        work.describe(steps)
        work.validate_contents(steps)
        if steps and not check_mode:
            work.execute(steps)
        return outcome


def look_from(manifest_path: str, manifest: Manifest, wanted: Mapping[str, State]) -> Callable[[str], State]:
    """Observe, but take the manifest's own folder as given (saving the manifest makes and removes it), and don't read
    files whose content is their users' business."""
    own = os.path.dirname(manifest_path)

    def look(path: str) -> State:
        if path == own:
            return dict(state_plan.IMPLIED)
        theirs = wanted.get(path, {}).get("kind") == "file" and "sha256" not in wanted[path]
        return observe(path, content=not theirs and manifest.knows_content(path))

    return look


def _missing_accounts(steps: Sequence[state_plan.Step]) -> list[str]:
    missing = {}
    for step in steps:
        for attribute, find in (("owner", state_change.user_id), ("group", state_change.group_id)):
            name = step.after.get(attribute)
            if step.action == "put" and name is not None:
                try:
                    find(name)
                except KeyError:
                    kind = "user" if attribute == "owner" else "group"
                    missing[f"{kind} {name} does not exist ({step.path})"] = True
    return list(missing)


@dataclass
class _Work:
    role: str
    manifest: Manifest
    manifest_path: str
    entries: Mapping[str, Mapping[str, Any]]
    validate: Validate
    outcome: Outcome
    run: Run | None

    def validate_contents(self, steps: Sequence[state_plan.Step]) -> None:
        """Let every file's own command look at its new content, before anything is changed. Raises StateError."""
        for step in steps:
            command = self.entries.get(step.path, {}).get("validate")
            if command and step.changes:
                try:
                    with tempfile.NamedTemporaryFile(prefix="nova-agent-") as candidate:
                        candidate.write(self._content(step) or b"")
                        candidate.flush()
                        self.validate(command, candidate.name)
                except OSError as error:
                    raise StateError(
                        f"{step.path}: no temporary file for checking its new content: {error.strerror}"
                    ) from error

    def execute(self, steps: Sequence[state_plan.Step]) -> None:
        records = self.manifest.paths(self.role)
        for step in steps:
            if step.action == "put":
                self._save_original(step)
                records[step.path] = {**step.after, "before": step.before}
            elif step.action == "keep":
                records[step.path]["kept"] = True
        self.manifest.save(self.manifest_path, self.run)
        done: list[str] = []
        for step in steps:
            try:
                self._change(step)
            except (OSError, StateError) as error:
                why = str(error)
                if isinstance(error, OSError):
                    why = f"{step.path}: {state_change.reason(step.path, error)}"
                self.outcome.changed_paths = done
                self.outcome.changed = bool(done)
                raise ApplyError(
                    f"{why}; {len(done)} of {len(steps)} steps were done, the next apply goes on from there",
                    self.outcome,
                ) from error
            if step.changes:
                done.append(step.path)
        self._forget_originals()
        self.manifest.save(self.manifest_path, self.run)

    def _change(self, step: state_plan.Step) -> None:
        if step.action == "put":
            if step.changes:
                state_change.put(step.path, step.after, self._content(step))
            return
        if step.action == "take":
            state_change.put(step.path, step.after, self._content(step))
            if step.after["kind"] == "absent" and os.path.lexists(step.path):
                self.outcome.kept.append(step.path)
                self.manifest.paths(self.role)[step.path]["kept"] = True
                return
        if step.action != "keep":
            del self.manifest.paths(self.role)[step.path]

    def _content(self, step: state_plan.Step) -> bytes | None:
        if step.after["kind"] != "file":
            return None
        if step.action == "put":
            return (self.entries[step.path].get("content") or "").encode()
        if "sha256" not in step.before:
            return None
        return read(self._original(step.before))

    def _original(self, state: State) -> str:
        return os.path.join(os.path.dirname(self.manifest_path), "originals", state["sha256"])

    def _save_original(self, step: state_plan.Step) -> None:
        """Keep the file that stood here before us, so that taking the role out puts it back."""
        original = step.before.get("sha256")
        if not original or not step.changes or step.found.get("sha256") != original:
            return
        copy = self._original(step.before)
        os.makedirs(os.path.dirname(copy), mode=0o700, exist_ok=True)
        if not os.path.lexists(copy):
            state = {**step.before, "mode": "0600", "owner": "root", "group": "root"}
            state_change.put(copy, state, read(step.path))

    def _forget_originals(self) -> None:
        folder = os.path.dirname(self._original({"sha256": ""}))
        needed = {
            record["before"].get("sha256") for role in self.manifest.roles.values() for record in role["paths"].values()
        }
        with suppress(FileNotFoundError):
            for name in set(os.listdir(folder)) - needed:
                os.unlink(os.path.join(folder, name))
            if not needed - {None}:
                os.rmdir(folder)

    def describe(self, steps: Sequence[state_plan.Step]) -> None:
        for step in steps:
            if step.action == "keep":
                self.outcome.kept.append(step.path)
            if step.changes:
                self.outcome.changed_paths.append(step.path)
                self.outcome.diff += self._diff(step)

    def _diff(self, step: state_plan.Step) -> list[dict[str, str]]:
        shown = self.entries.get(step.path, {}).get("diff") is not False
        return pieces(step.path, step.found, step.after, self._content(step), shown)


def pieces(path: str, found: State, after: State, content: bytes | None, shown: bool) -> list[dict[str, str]]:
    """Diff mode's pieces: one for kind, owner and mode, and one for the ``content`` after where that differs."""
    both = [_piece(path, _attributes(found), _attributes(after))]
    if "sha256" in after and found.get("sha256") != after["sha256"]:
        if shown:
            both.append(_piece(path, _found_text(path, found), _text(content or b"")))
        else:
            both.append(_piece(path, "(content not shown)\n", "(other content, not shown)\n"))
    return [piece for piece in both if piece["before"] != piece["after"]]


def _piece(path: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def _attributes(state: State) -> str:
    return "".join(f"{name}: {state[name]}\n" for name in COMPARED.get(state["kind"], ("kind",)) if name != "sha256")


def _found_text(path: str, found: State) -> str:
    if found["kind"] != "file":
        return ""
    return f"({TOO_LARGE})\n" if found["sha256"] == TOO_LARGE else _text(read(path))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"({len(content)} bytes that are not UTF-8 text)\n"
