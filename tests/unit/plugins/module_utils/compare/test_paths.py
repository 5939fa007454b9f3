# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Every difference of a path. On small trees, the steps lead to a compliant state."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.compare.paths import (
    FORGET,
    KEEP,
    NONE,
    PUT,
    REFUSE,
    TAKE,
    Step,
    compare_roles,
    record_step,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Record, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, TOO_LARGE, PathState
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

ROLE = "agent_wrappers"
A, B = "a" * 64, "b" * 64


def file(sha256: str = A, mode: str = "0644", owner: str = "root", group: str = "root") -> PathState:
    return PathState("file", mode, owner, group, sha256)


def folder(mode: str = "0755") -> PathState:
    return PathState("directory", mode, "root", "root")


def link(target: str = "/a") -> PathState:
    return PathState("link", owner="root", group="root", target=target)


SPECIAL = PathState("special", "0644", "root", "root")
UNREADABLE = PathState("unreadable", why="/x/a: Input/output error")


def manifest(**records: Record) -> Manifest:
    return Manifest({ROLE: RoleRecord({f"/x/{name}": record for name, record in records.items()})})


def compared(wanted: Mapping[str, PathState], found: Mapping[str, PathState], recorded: Manifest) -> list[Step]:
    """The steps for names below /x, an existing folder of no role."""
    found_states = {"/x": folder(), **{f"/x/{name}": state for name, state in found.items()}}
    states = {f"/x/{name}": state for name, state in wanted.items()}
    return compare_roles({ROLE: states}, recorded, lambda path: found_states.get(path, ABSENT))[ROLE]


@pytest.mark.parametrize("state", [file(), folder(), link()], ids=lambda state: state.kind)
def test_wanted_and_recorded_path_has_no_difference(state):
    (step,) = compared({"a": state}, {"a": state}, manifest(a=Record(state, ABSENT)))
    assert (step.action, step.why, step.differs) == (NONE, "", ())


@pytest.mark.parametrize(
    ("wanted", "found", "differs", "why"),
    [
        (file(), ABSENT, ("kind",), "is missing"),
        (file(), file(B), ("sha256",), "other content"),
        (file(), file(mode="0666"), ("mode",), "mode 0666, not 0644"),
        (file(), file(owner="agent1", group="users"), ("owner", "group"), "owner agent1, not root, group users, not root"),
        (file(), link(), ("kind",), "is a link to /a, not a file"),
        (link(), link("/b"), ("target",), "leads to /b, not to /a"),
        (link(), file(), ("kind",), "is a file, not a link"),
        (folder(), folder("0777"), ("mode",), "mode 0777, not 0755"),
        (folder(), link(), ("kind",), "is a link to /a, not a directory"),
        (ABSENT, file(), ("kind",), "is a file, and should not be there"),
    ],
)  # fmt: skip
def test_different_path_is_named_and_corrected(wanted, found, differs, why):
    (step,) = compared({"a": wanted}, {"a": found}, manifest(a=Record(wanted, ABSENT)))
    assert (step.action, step.why, step.changes) == (PUT, why, True)
    assert step.differs[: len(differs)] == differs


@pytest.mark.parametrize(
    ("wanted", "found", "recorded"),
    [
        (file(), folder(), manifest(a=Record(file(), ABSENT))),
        (link(), folder(), manifest(a=Record(link(), ABSENT))),
        (file(), SPECIAL, manifest(a=Record(file(), ABSENT))),
        (ABSENT, folder(), manifest()),
        (folder(), file(), manifest()),
        (folder(), link(), manifest()),
        (file(), file(TOO_LARGE), manifest()),
        (file(), UNREADABLE, manifest(a=Record(file(), ABSENT))),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_loss_of_data_and_unreadable_path_are_refused_with_the_remedy(wanted, found, recorded):
    (step,) = compared({"a": wanted}, {"a": found}, recorded)
    assert step.action == REFUSE and not step.changes
    assert "move it away" in step.why or step.why == UNREADABLE.why


def test_own_file_that_became_too_large_is_replaced():
    (step,) = compared({"a": file()}, {"a": file(TOO_LARGE)}, manifest(a=Record(file(), ABSENT)))
    assert step.action == PUT


@pytest.mark.parametrize(
    "recorded",
    [manifest(), manifest(a=Record(file(mode="0600"), ABSENT)), manifest(a=Record(file(), ABSENT, kept=True))],
)
def test_different_manifest_entry_is_only_recorded(recorded):
    (step,) = compared({"a": file()}, {"a": file()}, recorded)
    assert (step.action, step.differs, step.changes) == (PUT, ("manifest",), False)


def test_missing_parents_are_created_first_as_implied_folders():
    steps = compared({"new/er/a": file()}, {}, manifest())
    assert [(step.path, step.implied) for step in steps] == [
        ("/x/new", True),
        ("/x/new/er", True),
        ("/x/new/er/a", False),
    ]


def test_parents_of_foreign_paths_are_not_implied():
    path = "/home/a/nova/scripts/x"
    steps = compare_roles({ROLE: {path: link()}}, Manifest(), lambda _path: ABSENT, {path})
    assert [step.path for step in steps[ROLE]] == [path]


@pytest.mark.parametrize(
    ("record", "found", "action"),
    [
        (Record(file(), ABSENT), file(), TAKE),
        (Record(file(), file(B)), file(), TAKE),
        (Record(file(), ABSENT), file(B), KEEP),
        (Record(file(), ABSENT), link(), KEEP),
        (Record(file(), ABSENT), file(mode="0600"), TAKE),  # only the attributes differ
        (Record(file(), ABSENT), ABSENT, FORGET),
        (Record(file(), file(B)), file(B), FORGET),  # the original was restored by hand
        (Record(file(), file(B)), ABSENT, TAKE),
        (Record(file(), ABSENT), UNREADABLE, REFUSE),
    ],
)
def test_unwanted_path_is_removed_or_kept(record, found, action):
    (step,) = compared({}, {"old": found}, manifest(old=record))
    assert step.action == action and step.why
    if action == TAKE:
        assert step.after == record.before


def test_kept_path_stays_while_its_role_exists_and_is_compared_again_later():
    recorded = manifest(old=Record(file(), ABSENT, kept=True), a=Record(link(), ABSENT))
    steps = {step.path: step for step in compared({"a": link()}, {"old": file(B), "a": link()}, recorded)}
    assert steps["/x/old"].action == NONE and "left in place" in steps["/x/old"].why
    assert {step.path: step.action for step in compared({}, {"old": file(B), "a": link()}, recorded)} == {
        "/x/old": KEEP,
        "/x/a": TAKE,
    }


def test_content_of_users_is_not_compared_and_not_restored():
    theirs = file(sha256="")
    (step,) = compared({"a": theirs}, {"a": file(B)}, manifest())
    assert (step.action, step.changes, step.before.sha256) == (PUT, False, "")


def test_path_of_two_roles_has_the_last_state_and_is_removed_with_the_last_role():
    state = {"/x/a": file()}
    recorded = Manifest()
    for steps in compare_roles({"r1": state, "r2": state}, recorded, lambda path: folder() if path == "/x" else ABSENT).values():  # fmt: skip
        for step in steps:
            record_step(recorded, step)
    look = {"/x": folder(), "/x/a": file()}.get
    (first,) = compare_roles({"r1": {}}, recorded, look)["r1"]
    assert first.action == FORGET
    record_step(recorded, first)
    assert [step.action for step in compare_roles({"r2": {}}, recorded, look)["r2"]] == [TAKE]


# On small trees: the steps run on a model of a file system.

Tree = dict[str, PathState]
FOLDERS = ["/o", "/o/a", "/o/a/b"]
NAMES = [*FOLDERS, "/o/a/b/c", "/o/d", "/e"]
ROLES = ["r1", "r2"]


def put(tree: Tree, path: str, state: PathState) -> None:
    """Change a path like the module: a folder that is not empty stays, and only links and files are replaced."""
    below = [name for name in tree if name.startswith(f"{path}/")]
    if state == ABSENT:
        if not below:
            tree.pop(path, None)
        return
    assert tree.get(posixpath.dirname(path), folder()).kind == "directory", f"{path} has no folder"
    if state.kind != "directory":
        assert not below, f"{path} would be lost"
    found = tree.get(path)
    content = found.sha256 if found and found.kind == "file" and state.kind == "file" and not state.sha256 else ""
    tree[path] = PathState(**{**vars(state), "sha256": state.sha256 or content})


def look(tree: Tree, path: str) -> PathState:
    above = posixpath.dirname(path)
    while above != "/":
        if tree.get(above, folder()).kind != "directory":
            return ABSENT  # paths below a link are not read
        above = posixpath.dirname(above)
    return tree.get(path, ABSENT)


def apply(tree: Tree, recorded: Manifest, wanted: Mapping[str, Tree]) -> bool:
    """Run the steps, as state/apply.py does. False if one is refused; then nothing is changed."""
    steps = compare_roles(wanted, recorded, lambda path: look(tree, path))
    if any(step.action == REFUSE for role in steps.values() for step in role):
        return False
    for role in steps.values():
        for step in role:
            if step.changes:
                put(tree, step.path, step.after)
                if step.action == TAKE and step.after == ABSENT and step.path in tree:
                    step = Step(**{**vars(step), "action": KEEP})  # something is in it
            record_step(recorded, step)
    return True


def remaining_steps(tree: Tree, recorded: Manifest, wanted: Mapping[str, Tree]) -> list[tuple[str, str]]:
    steps = compare_roles(wanted, recorded, lambda path: look(tree, path))
    return [(step.path, step.action) for role in steps.values() for step in role if step.action]


STATES = st.sampled_from([file(A), file(B), file(A, "0600"), folder(), folder("0700"), link("/t"), link("/u")])


def foreign_folder_is_a_link(tree: Tree, recorded: Manifest) -> bool:
    """Whether a foreign folder is a link now. The model does not follow links."""
    ours = {path for path, _record in recorded.records()}
    return any(tree.get(name, ABSENT).kind == "link" and name not in ours for name in FOLDERS)


@st.composite
def trees(draw: Any) -> Tree:
    """A file system before the first apply: each path has its folder, and no link is at the path of a folder."""
    tree: Tree = {}
    for name in NAMES:
        parent = posixpath.dirname(name)
        if (parent == "/" or tree.get(parent, ABSENT).kind == "directory") and draw(st.booleans()):
            tree[name] = draw(STATES)
    assume(not foreign_folder_is_a_link(tree, Manifest()))
    return tree


@st.composite
def desired(draw: Any) -> dict[str, Tree]:
    """The desired state of two roles, with the rules for features: both want the same state of a shared path; a role with
    a path in a folder that the other role lists, lists the folder as well; and a folder stays a folder in the next version."""
    leaves = st.sampled_from([file(A), file(B), file(A, "0600"), link("/t")])
    states = {name: folder() if name in FOLDERS else draw(leaves) for name in NAMES}
    named = {name for name in FOLDERS if draw(st.booleans())}
    wanted: dict[str, Tree] = {}
    for role in ROLES:
        paths = {name for name in NAMES if name not in FOLDERS and draw(st.booleans())}
        paths |= {name for name in named if draw(st.booleans())}
        paths |= {name for name in named if any(path.startswith(f"{name}/") for path in paths)}
        wanted[role] = {name: states[name] for name in sorted(paths)}
    return wanted


NOTHING: dict[str, Tree] = {role: {} for role in reversed(ROLES)}
MANY_EXAMPLES = settings(max_examples=150)


@given(trees(), desired())
@MANY_EXAMPLES
def test_apply_makes_a_host_compliant_and_retire_restores_it(before, wanted):
    tree, recorded = dict(before), Manifest()
    if not apply(tree, recorded, wanted):
        event("refused")
        assert tree == before and recorded.records() == []
        return
    assert remaining_steps(tree, recorded, wanted) == []
    for states in wanted.values():
        for path, state in states.items():
            assert tree[path] == state
    assert apply(tree, recorded, NOTHING)
    assert tree == before
    assert [path for path, _record in recorded.records()] == []


@given(trees(), desired(), desired())
@MANY_EXAMPLES
def test_changed_policy_makes_a_host_compliant_and_retire_restores_it(before, first, second):
    tree, recorded = dict(before), Manifest()
    if not apply(tree, recorded, first) or not apply(tree, recorded, second):
        event("refused")
        return
    assert remaining_steps(tree, recorded, second) == []
    assert apply(tree, recorded, NOTHING)
    assert tree == before and [path for path, _record in recorded.records()] == []


@given(trees(), desired(), st.sampled_from(NAMES), STATES)
@MANY_EXAMPLES
def test_drift_is_found_and_corrected(before, wanted, path, state):
    tree, recorded = dict(before), Manifest()
    assume(apply(tree, recorded, wanted) and not (path in FOLDERS and state.kind == "link"))
    expected = dict(tree)
    for name in [name for name in tree if name == path or name.startswith(f"{path}/")]:
        del tree[name]
    if tree.get(posixpath.dirname(path), folder()).kind == "directory" and posixpath.dirname(path) in {"/", *tree}:
        tree[path] = state
    assume(not foreign_folder_is_a_link(tree, recorded))
    drifted = {name for states in wanted.values() for name in states if look(tree, name) != expected[name]}
    found = {name for name, _action in remaining_steps(tree, recorded, wanted)}
    assert drifted <= found
    if apply(tree, recorded, wanted):
        assert remaining_steps(tree, recorded, wanted) == []


@given(trees(), desired(), st.sampled_from(ROLES))
@MANY_EXAMPLES
def test_removed_role_keeps_the_paths_of_other_roles(before, wanted, removed):
    tree, recorded = dict(before), Manifest()
    if not apply(tree, recorded, wanted):
        return
    (other,) = set(ROLES) - {removed}
    assert apply(tree, recorded, {removed: {}})
    assert remaining_steps(tree, recorded, {other: wanted[other]}) == []
    assert {path: tree[path] for path in wanted[other]} == wanted[other]
    assert apply(tree, recorded, {other: {}})
    assert tree == before
