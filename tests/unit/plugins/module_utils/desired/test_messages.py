# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The exact text of messages that operators get on their first day: data/messages.yml has them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import HostProblems, PolicyProblems
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Account
from ansible_collections.nova.agent_host.plugins.module_utils.report.summary import fleet_lines, summary_lines
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import (
    changed,
    host,
    policy,
    with_agents,
)

CASES = yaml.safe_load((Path(__file__).parents[1] / "data" / "messages.yml").read_text())


def observed_with(differences):
    found = with_agents(*differences.pop("agents", []), missing=tuple(differences.pop("missing", [])))
    if others := differences.pop("others", []):
        found = changed(found, "accounts", users={name: Account(True, [name]) for name in others})
    for part, values in differences.items():
        found = changed(found, part, **values)
    return found


@pytest.mark.parametrize("case", CASES["variables"], ids=lambda case: case["given"])
def test_wrong_variables_have_this_exact_text(case):
    with pytest.raises(PolicyProblems) as error:
        policy(**yaml.safe_load(case["given"]))
    assert str(error.value) == case["message"]


@pytest.mark.parametrize("case", CASES["hosts"], ids=lambda case: case["message"][:60])
def test_unsuitable_hosts_have_this_exact_text(case):
    with pytest.raises(HostProblems) as error:
        host(observed_with(dict(case.get("host", {}))), **case.get("variables", {}))
    assert str(error.value) == case["message"]


@pytest.mark.parametrize("case", CASES["notes"], ids=lambda case: case["message"][:60])
def test_notes_have_this_exact_text(case):
    observed = observed_with(dict(case["host"]))
    _summary, note = summary_lines(policy(), host(observed))
    assert note == f"note: {case['message']}"


def test_last_lines_of_a_run_have_this_exact_text():
    lines = fleet_lines(
        {"build1": ["3 agents"], "build2": [], "build3": ["3 agents"]}, ["build1", "build3"], "", ["build1"]
    )
    assert lines == CASES["end"]
