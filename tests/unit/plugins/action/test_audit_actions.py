# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What the roles' actions note in an audit, from the observation and from what their modules return."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.nova.agent_host.plugins.action import host_state, rustup_toolchain
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import wanted_state

TREE = "/opt/nova-agent/toolchain"
ENTRY = {"path": "/opt/x", "content": "one\n", "mode": "0644"}
ARGUMENTS = {"role": "agent_limits", "entries": [ENTRY]}
STATE = wanted_state(ENTRY)
OBSERVED: dict[str, Any] = {
    "token": "now",
    "files": {"/opt/x": STATE},
    "manifest": {
        "roles": {"agent_limits": {"paths": {"/opt/x": {**STATE, "before": {"kind": "absent"}}}, "trees": []}}
    },
}
FOUND = {
    "findings": [{"role": "agent_limits", "item": "/opt/x", "kind": "file", "status": "drifted"}],
    "contacted": True,
}


def action(answer: Any = None) -> host_state.ActionModule:
    """An action without task and connection; its module gives ``answer``, and None says that it must not be asked."""
    made = host_state.ActionModule.__new__(host_state.ActionModule)
    made.asked = []

    def ask(arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        made.asked.append(arguments)
        assert answer is not None
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    made.ask_module = ask
    return made


def noted(result: dict[str, Any]) -> dict[str, Any]:
    return result["ansible_facts"]["nova_agent_host_audited"]


def test_a_right_host_is_not_asked_and_its_items_are_noted():
    result = action().audit(OBSERVED, ARGUMENTS, {})
    assert (result["changed"], result["contacted"], result["changed_paths"]) == (False, False, [])
    assert [(item["item"], item["status"]) for item in noted(result)["items"]] == [("/opt/x", "ok")]


def test_a_wrong_host_is_asked_to_compare_and_nothing_counts_as_changed():
    asked = action(FOUND)
    result = asked.audit({**OBSERVED, "files": {}}, ARGUMENTS, {})
    assert asked.asked == [{**ARGUMENTS, "audit": True}]
    assert (result["changed"], result["contacted"]) == (False, True)
    assert [item["status"] for item in noted(result)["items"]] == ["drifted"]


def test_roles_add_up_and_a_path_is_told_once():
    facts = noted(action().audit(OBSERVED, ARGUMENTS, {}))
    more = {
        **FOUND,
        "findings": [*FOUND["findings"], {"role": "other", "item": "/opt/y", "kind": "file", "status": "ok"}],
    }
    result = action(more).audit(
        {**OBSERVED, "files": {}}, ARGUMENTS, {"ansible_facts": {"nova_agent_host_audited": facts}}
    )
    assert [(item["item"], item["status"]) for item in noted(result)["items"]] == [("/opt/x", "ok"), ("/opt/y", "ok")]


@pytest.mark.parametrize("observed", [OBSERVED, None])
def test_what_an_earlier_run_left_in_a_cache_of_facts_is_forgotten(observed):
    old = {"token": "then", "items": [{"role": "r", "item": "/old"}], "units": {"old.timer": {}}}
    result = action(FOUND).audit(observed, ARGUMENTS, {"ansible_facts": {"nova_agent_host_audited": old}})
    assert [item["item"] for item in noted(result)["items"]] == ["/opt/x"] and noted(result)["units"] == {}


def test_a_host_that_is_lost_ends_there_and_a_module_that_fails_says_why():
    lost = action(AnsibleConnectionFailure("gone")).audit(None, ARGUMENTS, {})
    assert (lost["failed"], lost["lost"], lost["msg"]) == (True, True, "gone")
    assert action({"failed": True, "msg": "no"}).audit(None, ARGUMENTS, {}) == {"failed": True, "msg": "no"}


@pytest.mark.parametrize(
    ("result", "status", "differs", "why"),
    [
        ({"changed": False}, "ok", None, None),
        (
            {"repaired": ["bin/rustc: is missing"], "installed": ["toolchain 1.92.0"]},
            "drifted",
            ["damaged"],
            "bin/rustc: is missing",
        ),
        ({"installed": ["toolchain 1.92.0"]}, "drifted", ["missing"], "toolchain 1.92.0 is not installed"),
        ({"removed": ["toolchain 1.9"]}, "drifted", ["unwanted"], "toolchain 1.9 is no longer wanted"),
        ({}, "drifted", ["request"], "was installed otherwise"),
    ],
)
def test_a_toolchain_is_one_item(result, status, differs, why):
    given = {"changed": True, "repaired": [], "installed": [], "removed": [], "diff": {"before": "", "after": ""}}
    made = rustup_toolchain.ActionModule.__new__(rustup_toolchain.ActionModule)
    (item,) = made.found_items({**given, **result}, {"path": TREE})
    assert (item["role"], item["item"], item["status"]) == ("agent_toolchain", TREE, status)
    assert (item.get("differs"), item.get("why")) == (differs, why)
