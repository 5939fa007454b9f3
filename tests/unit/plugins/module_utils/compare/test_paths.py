# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The items of files: every way in which a path can differ, in the words that people read."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import state_items
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT

ROLE = "agent_wrappers"
ROOT = {"owner": "root", "group": "root"}
FILE = {"kind": "file", "sha256": "a", "mode": "0644", **ROOT}
FOLDER = {"kind": "directory", "mode": "0755", **ROOT}
LINK = {"kind": "link", "target": "/a", **ROOT}


def manifest(**paths: dict[str, Any]) -> Manifest:
    return Manifest({ROLE: {"paths": {f"/x/{name}": record for name, record in paths.items()}, "trees": []}})


def recorded(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**state, "before": ABSENT, **more}


def audited(wanted: dict[str, Any], found: dict[str, Any], held: Manifest) -> list[dict[str, Any]]:
    """The items of names below /x, which is there and nobody's."""

    def look(path: str) -> dict[str, Any] | None:
        state = {"/x": FOLDER, **{f"/x/{name}": state for name, state in found.items()}}.get(path)
        if isinstance(state, OSError):
            raise state
        return state

    return state_items(ROLE, {f"/x/{name}": state for name, state in wanted.items()}, held, look)


@pytest.mark.parametrize("state", [FILE, FOLDER, LINK], ids=lambda state: state["kind"])
def test_what_is_as_wanted_and_recorded_so_is_ok(state):
    assert audited({"a": state}, {"a": state}, manifest(a=recorded(state))) == [
        {"role": ROLE, "item": "/x/a", "kind": state["kind"], "status": "ok"}
    ]


@pytest.mark.parametrize(
    ("wanted", "found", "differs", "why"),
    [
        (FILE, ABSENT, ["kind"], "is missing"),
        (FILE, {**FILE, "sha256": "b"}, ["content"], "other content"),
        (FILE, {**FILE, "mode": "0666"}, ["mode"], "mode 0666, not 0644"),
        (FILE, {**FILE, "owner": "agent1", "group": "users"}, ["owner", "group"], "owner agent1, not root, group users, not root"),
        (FILE, LINK, ["kind"], "is a link to /a, not a file"),
        (FILE, FOLDER, ["kind"], "is a directory, not a file; site does not replace it: move it away"),
        (FILE, {"kind": "special", "mode": "0644", **ROOT}, ["kind"], "is a device, socket or FIFO, not a file; site does not replace it: move it away"),
        (LINK, {**LINK, "target": "/b"}, ["target"], "leads to /b, not to /a"),
        (LINK, FILE, ["kind"], "is a file, not a link"),
        (FOLDER, {**FOLDER, "mode": "0777"}, ["mode"], "mode 0777, not 0755"),
        (ABSENT, FILE, ["kind"], "is a file, and should not be there"),
    ],
)  # fmt: skip
def test_what_differs_is_named_and_said_in_words(wanted, found, differs, why):
    (item,) = audited({"a": wanted}, {"a": found}, manifest(a=recorded(wanted)))
    assert (item["status"], item["differs"], item["why"]) == ("drifted", differs, why)


@pytest.mark.parametrize(
    "held", [manifest(), manifest(a=recorded(FILE, mode="0600")), manifest(a=recorded(FILE, kept=True))]
)
def test_what_the_manifest_has_otherwise_is_drift(held):
    (item,) = audited({"a": FILE}, {"a": FILE}, held)
    assert (item["status"], item["differs"]) == ("drifted", ["manifest"])


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (None, "was not looked at"),
        ({"kind": "unreadable"}, "may not be read"),
    ],
)
def test_what_can_not_be_read_is_unknown_wanted_or_not(found, why):
    held = manifest(a=recorded(FILE), b=recorded(FILE))
    items = audited({"a": FILE}, {"a": found, "b": found}, held)
    assert [(item["item"], item["status"], item["why"]) for item in items] == [
        ("/x/a", "unknown", why),
        ("/x/b", "unknown", why),
    ]


def test_missing_parents_are_items_of_their_own():
    items = audited({"new/a": FILE}, {"new": ABSENT, "new/a": ABSENT}, manifest())
    assert [(item["item"], item["why"]) for item in items] == [("/x/new", "is missing"), ("/x/new/a", "is missing")]


@pytest.mark.parametrize(
    ("record", "found", "status", "why"),
    [
        (recorded(FILE), FILE, "drifted", "is no longer wanted, and still there"),
        (recorded(FILE), ABSENT, "drifted", "is no longer wanted, and the manifest still has it"),
        (recorded(FILE, kept=True), {**FILE, "sha256": "b"}, "note", "is no longer wanted, but was edited or filled: left in place"),
    ],
)  # fmt: skip
def test_what_is_no_longer_wanted_is_told(record, found, status, why):
    (item,) = audited({}, {"old": found}, manifest(old=record))
    assert (item["status"], item["why"]) == (status, why)
