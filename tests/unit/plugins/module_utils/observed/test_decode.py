# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Every answer of a host becomes a typed value or one error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.audit.junit import junit
from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import fleet_report, table
from ansible_collections.nova.agent_host.plugins.module_utils.compare.items import Seen, compare
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_limits, agent_policy
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import ROLES, HostProblems, host_of
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import wanted_of as desired_state_of
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Entry, Template
from ansible_collections.nova.agent_host.plugins.module_utils.observed import decode as border
from ansible_collections.nova.agent_host.plugins.module_utils.observed.answers import Outcome
from ansible_collections.nova.agent_host.plugins.module_utils.observed.decode import DecodeError, decode
from ansible_collections.nova.agent_host.plugins.module_utils.observed.encode import encode
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Observation, Session
from ansible_collections.nova.agent_host.plugins.module_utils.report.summary import summary_lines
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import PathState
from ansible_collections.nova.agent_host.plugins.module_utils.state.record import wanted_record
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import policy
from hypothesis import given, settings
from hypothesis import strategies as st

ANSWER: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data/answer.json").read_text(encoding="utf-8"))
# Large integers, and texts with every character, also invalid ones.
TEXT = st.text(st.characters() | st.characters(categories=["Cc", "Cs", "Cf"]), max_size=20)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
MANY_EXAMPLES = settings(max_examples=400)


def places(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in ``data``."""
    yield at
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield from places(value, (*at, key))


def changed(at: tuple[Any, ...], value: Any) -> Any:
    """The answer with ``value`` at the path ``at``."""
    if not at:
        return value
    data = copy.deepcopy(ANSWER)
    inner = data
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return data


PLACES = sorted(places(ANSWER), key=str)


def test_decoded_and_encoded_answer_is_unchanged():
    observed = decode(Observation, ANSWER)
    assert encode(observed) == ANSWER
    assert decode(Observation, json.loads(json.dumps(encode(observed)))) == observed


def test_largest_limit_of_a_session_fits_into_an_answer():
    """An account can set the limit 2^64 - 2 for its processes."""
    observed = decode(Observation, ANSWER)
    chosen = replace(observed, sessions=[Session("agent1", "session-1.scope", {"as": (1 << 64) - 2, "nofile": None})])
    (session,) = decode(Observation, json.loads(json.dumps(encode(chosen)))).sessions
    assert session.limits == {"as": border.LARGEST_NUMBER, "nofile": None}
    assert encode(chosen)["platform"]["systemd"] is True


def test_fixture_has_every_part_of_an_answer():
    """Otherwise the tests below would not reach it."""
    empty = [at for at in PLACES if at and len(at) == 1 and ANSWER[at[0]] in ([], {}, None)]
    assert empty == []


@given(JSON)
@MANY_EXAMPLES
def test_any_json_is_an_observation_or_one_error(data):
    for shape in (Observation, Manifest, PathState, Outcome):
        try:
            decode(shape, data)
        except DecodeError as error:
            assert border.UNFIT.search(str(error)) is None and len(str(error)) < 1000


@given(st.sampled_from(PLACES), JSON)
@MANY_EXAMPLES
def test_answer_with_one_changed_value_is_an_observation_or_one_error(at, value):
    try:
        observed = decode(Observation, changed(at, value))
    except DecodeError as error:
        assert border.UNFIT.search(str(error)) is None and len(str(error)) < 1000
    else:
        assert decode(Observation, encode(observed)) == observed


NUMBERS = st.integers(-(1 << 63), 1 << 63) | st.sampled_from([0, 1, -1])
OF_THE_SAME_TYPE = {
    bool: st.booleans(),
    int: NUMBERS,
    str: st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=8) | st.just("9" * 5000) | st.just(""),
    list: st.just([]) | st.lists(NUMBERS | st.none(), max_size=3),
    dict: st.just({}),
    type(None): st.none() | NUMBERS | st.just(""),
}


@given(st.sampled_from([at for at in PLACES if at]), st.data())
@settings(max_examples=800)
def test_false_answer_is_compared_or_has_one_problem(at, data):
    """A false answer can still have the right types. It never causes an exception, which would end the report of other hosts."""
    value: Any = ANSWER
    for key in at:
        value = value[key]
    ours = policy(agent_policy_users=list(ANSWER["accounts"]["users"]))
    try:
        observed = decode(Observation, changed(at, data.draw(OF_THE_SAME_TYPE[type(value)])))
        host = host_of(ours, observed, ROLES)
        roles = desired_state_of(ours, host, ROLES)
    except (DecodeError, HostProblems):
        return
    result = compare([_rendered(role) for role in roles], _seen(ours, observed))
    items = [item.view() for item in result.items]
    report = fleet_report([{"host": "host1", "status": "drifted", "items": items}], "now")
    assert table(report) and junit(report)
    assert all(isinstance(line, str) for line in summary_lines(ours, host))
    agent_policy.account_plan(observed.accounts, None, ())


def _rendered(role: Any) -> Any:
    entries = tuple(
        Entry(**{**vars(entry), "content": "" if isinstance(entry.content, Template) else str(entry.content or "")})
        if entry.kind == "file"
        else entry
        for entry in role.entries
    )
    return type(role)(role.role, entries, role.units, role.conditions, role.notes)


def _seen(ours: Any, observed: Observation) -> Seen:
    record = wanted_record()
    return Seen(
        observed.manifest,
        lambda path: observed.files.get(path, PathState("unreadable", why="was not looked at")),
        observed.units,
        {path: (record[path], state) for path, state in observed.record.items() if path in record},
        agent_limits.limits(ours.of(agent_limits.Variables), observed),
    )


@pytest.mark.parametrize("at", [(), ("platform",), ("manifest",), ("accounts", "record"), ("memory",)], ids=str)
def test_unknown_key_is_refused(at):
    data = copy.deepcopy(ANSWER)
    inner = data
    for key in at:
        inner = inner[key]
    inner["ansible_connection"] = "local"
    with pytest.raises(DecodeError, match="ansible_connection"):
        decode(Observation, data)


@pytest.mark.parametrize(
    "at", [("platform", "version"), ("cpus",), ("memory", "total"), ("manifest", "roles")], ids=str
)
def test_missing_key_is_named(at):
    data = copy.deepcopy(ANSWER)
    inner = data
    for key in at[:-1]:
        inner = inner[key]
    del inner[at[-1]]
    with pytest.raises(DecodeError, match=at[-1]):
        decode(Observation, data)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("cpus",), "192"),
        (("cpus",), True),
        (("cpus",), 1.0),
        (("cpus",), 1 << 64),
        (("cpus",), None),
        (("platform", "systemd"), 1),
        (("platform", "version"), 24),
        (("platform", "ids"), "ubuntu"),
        (("platform", "ids", 0), None),
        (("platform",), []),
        (("files",), [["/etc/x", {}]]),
        (("sessions",), {}),
        (("packages",), {"git": "yes"}),
        (("memory", "cgroup_limit"), "none"),
        (("manifest", "roles"), []),
        (("deep",), False),
    ],
    ids=str,
)
def test_value_of_another_type_is_refused_with_its_path(at, value):
    with pytest.raises(DecodeError) as error:
        decode(Observation, changed(at, value), "the answer")
    assert str(at[0]) in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["\x00", "\x1b[31m", "\r", "\x7f", "\x9b", "\u202e", "\u2066", "\u2028", "\ud800", "a\udfffb"],
    ids=ascii,
)
def test_control_characters_are_refused_in_values_and_names(text):
    for data in (
        changed(("platform", "version"), text),
        changed(("packages",), {text: True}),
        changed(("files",), {f"/etc/{text}": {"kind": "absent"}}),
        {**ANSWER, text: 1},
    ):
        with pytest.raises(DecodeError) as error:
            decode(Observation, data)
        assert text not in str(error.value)


def test_too_large_values_are_refused():
    most, longest = border.MOST_MEMBERS, border.LONGEST_TEXT
    assert decode(Observation, changed(("platform", "ids"), ["x"] * most)).platform.ids == ["x"] * most
    assert (
        decode(Observation, changed(("platform", "architecture"), "x" * longest)).platform.architecture == "x" * longest
    )
    for at, value in (
        (("platform", "ids"), ["x"] * (most + 1)),
        (("packages",), {str(number): True for number in range(most + 1)}),
        (("platform", "architecture"), "x" * (longest + 1)),
        (("packages",), {"x" * (longest + 1): True}),
    ):
        with pytest.raises(DecodeError):
            decode(Observation, changed(at, value))


@pytest.mark.parametrize("where", ["state", "before"])
def test_manifest_with_an_unknown_kind_of_path_is_refused(where):
    record: dict[str, Any] = {"kind": "file", "before": {"kind": "absent"}}
    (record if where == "state" else record["before"])["kind"] = "nonsense"
    roles = {"agent_limits": {"paths": {"/etc/x": record}, "trees": [], "restarts": []}}
    with pytest.raises(DecodeError):
        decode(Manifest, {"collection": "nova.agent_host", "version": "0.1.0", "roles": roles})
