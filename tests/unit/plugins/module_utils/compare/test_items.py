# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The items of a whole host, for each part of the desired and the observed state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.compare.items import (
    DRIFTED,
    NOTE,
    OK,
    UNKNOWN,
    Comparison,
    Seen,
    compare,
    not_compared,
)
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import (
    Condition,
    Entry,
    Note,
    Unit,
    Wanted,
)
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import NOT_KNOWN, UnitState
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Record, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, PathState

FOLDER = PathState("directory", "0755", "root", "root")
FILE = Entry("/x/a", content="one\n", mode="0644")
TIMER = UnitState("loaded", "enabled", "active", "success", False)
LIMITS = Wanted(
    "agent_limits",
    (FILE, Entry("/x/b", "link", target="/t")),
    (Unit("sweep.timer", own=True, active=True),),
    (Condition("limits", "agent1", "", "", "a new login gets as 1, not 2", "as"),),
)
RECORD = "/var/lib/nova-agent"


def manifest(*roles):
    return Manifest(
        {
            role.role: RoleRecord({entry.path: Record(entry.state, ABSENT) for entry in role.entries}, [])
            for role in roles
        }
    )


def seen(*roles, units=None, record=None, **files):
    """A compliant host, with other states at names below /x."""
    states = {"/x": FOLDER, **{entry.path: entry.state for role in roles for entry in role.entries}}
    states |= {f"/x/{name}": state for name, state in files.items()}
    found = {"sweep.timer": TIMER} if units is None else units
    return Seen(
        manifest(*roles),
        lambda path: states.get(path, ABSENT),
        found,
        {RECORD: (FOLDER, record or FOLDER)},
        {"as": [1, 1]},
    )


def findings(result: Comparison):
    return [(item.kind, item.name, item.status, item.differs) for item in result.items if item.status != OK]


def test_compliant_host_has_only_ok_items():
    result = compare([LIMITS], seen(LIMITS))
    assert findings(result) == [] and not result.differs and not result.files_differ
    assert [(item.kind, item.name) for item in result.items] == [
        ("directory", RECORD),
        ("file", "/x/a"),
        ("link", "/x/b"),
        ("limits", "agent1"),
        ("unit", "sweep.timer"),
    ]


@pytest.mark.parametrize(
    ("wanted", "host", "item", "files_differ"),
    [
        (LIMITS, {"a": ABSENT}, ("file", "/x/a", DRIFTED, ("kind",)), True),
        (LIMITS, {"a": replace(FILE.state, sha256="0" * 64)}, ("file", "/x/a", DRIFTED, ("content",)), True),
        (LIMITS, {"a": replace(FILE.state, mode="0666", owner="bob")}, ("file", "/x/a", DRIFTED, ("mode", "owner")), True),
        (LIMITS, {"record": replace(FOLDER, mode="0777")}, ("directory", RECORD, DRIFTED, ("mode",)), True),
        (LIMITS, {"units": {"sweep.timer": replace(TIMER, active="inactive")}}, ("unit", "sweep.timer", DRIFTED, ("active",)), True),
        (LIMITS, {"units": {}}, ("unit", "sweep.timer", UNKNOWN, ()), True),
        (LIMITS, {"units": {"sweep.timer": NOT_KNOWN}}, ("unit", "sweep.timer", UNKNOWN, ()), True),
        (LIMITS, {"a": PathState("unreadable", why="a dead mount")}, ("file", "/x/a", UNKNOWN, ()), True),
    ],
)  # fmt: skip
def test_each_difference_is_one_item(wanted, host, item, files_differ):
    result = compare([wanted], seen(wanted, **host))
    assert findings(result) == [item]
    assert result.differs and result.files_differ is files_differ


def role(*conditions, **more):
    return Wanted("agent_ceiling", conditions=conditions, **more)


@pytest.mark.parametrize(
    ("condition", "status", "differs"),
    [
        (Condition("package", "git", True, True, "is not installed"), OK, ()),
        (Condition("package", "git", True, False, "is not installed"), DRIFTED, ("kind",)),
        (Condition("limits", "agent1", "", "as 1, not 2", "a new login gets as 1, not 2", "as nofile"), DRIFTED, ("as", "nofile")),
        (Condition("limits", "agent1", "", None, "no login could be tried"), UNKNOWN, ()),
    ],
)  # fmt: skip
def test_condition_is_one_item_without_a_file(condition, status, differs):
    result = compare([role(condition)], seen())
    (item,) = [item for item in result.items if item.name != RECORD]
    assert (item.status, item.differs) == (status, differs)
    assert item.why == ("" if status == OK else condition.why)
    assert result.differs is (status != OK) and not result.files_differ
    assert [item.name for item in result.of(condition.kind)] == ([condition.name] if status == DRIFTED else [])


def test_state_corrected_by_systemd_is_one_item_only_if_different():
    reload = Condition("ceiling", "user.slice", True, False, "no maximum", reload=True)
    restart = Condition("ceiling", "cron.service", False, True, "runs above", restart="cron.service")
    result = compare([role(reload, restart, restart)], seen())
    assert (result.conditions.reload, result.conditions.restarts, result.files_differ) == (
        True,
        ("cron.service",),
        True,
    )
    compliant = compare([role(replace(reload, found=True), replace(restart, found=False))], seen())
    assert (compliant.conditions.reload, compliant.conditions.restarts, compliant.files_differ) == (False, (), False)
    not_known = compare([role(replace(reload, found=None))], seen())
    assert (not_known.conditions.reload, not_known.differs) == (False, True)


def test_note_is_not_a_difference():
    result = compare([role(notes=(Note("fence", "swap", "swap is on"),))], seen())
    assert findings(result) == [("fence", "swap", NOTE, ())] and not result.differs


def test_path_and_unit_of_two_roles_are_one_item():
    other = replace(LIMITS, role="agent_hygiene", conditions=())
    result = compare([LIMITS, other], seen(LIMITS, other, units={"sweep.timer": replace(TIMER, enabled="")}))
    names = [item.name for item in result.items]
    assert sorted(names) == sorted(set(names))
    assert findings(result) == [("unit", "sweep.timer", DRIFTED, ("enabled",))]


def test_unwanted_path_is_drift_and_kept_path_is_a_note():
    empty = replace(LIMITS, entries=(), units=(), conditions=())
    assert {item[1:3] for item in findings(compare([empty], seen(LIMITS)))} == {("/x/a", DRIFTED), ("/x/b", DRIFTED)}
    host = seen(LIMITS, a=replace(FILE.state, sha256="0" * 64))
    paths = host.manifest.roles["agent_limits"].paths
    paths["/x/a"] = replace(paths["/x/a"], kept=True)
    only_b = replace(LIMITS, entries=LIMITS.entries[1:])
    assert findings(compare([only_b], host)) == [("file", "/x/a", NOTE, ())]


def test_only_compared_roles_have_items():
    other = replace(LIMITS, role="agent_hygiene")
    result = compare([other], seen(LIMITS, other, a=ABSENT))
    assert {item.role for item in result.items if item.name != RECORD} == {"agent_hygiene"}


def test_host_that_cannot_be_compared_lists_the_paths_of_its_manifest():
    recorded = manifest(LIMITS)
    recorded.roles["agent_limits"].paths["/gone"] = Record(ABSENT, ABSENT)
    recorded.roles["agent_limits"].trees.append("/opt/toolchain")
    items = not_compared(recorded, "no root")
    assert [(item.kind, item.name, item.status) for item in items] == [
        ("file", "/x/a", UNKNOWN),
        ("link", "/x/b", UNKNOWN),
        ("toolchain", "/opt/toolchain", UNKNOWN),
    ]
    assert all("no root" in item.why for item in items)
    assert not_compared(None, "no route") == ()


def test_view_of_an_item_has_only_set_fields():
    result = compare([LIMITS], seen(LIMITS, a=ABSENT))
    views = {item.name: item.view() for item in result.items}
    assert views["/x/b"] == {"role": "agent_limits", "item": "/x/b", "kind": "link", "status": OK}
    assert views["/x/a"]["differs"] == ["kind"] and views["/x/a"]["why"] == "is missing"
    assert replace(result.items[1], diff="+one").view()["diff"] == "+one"
