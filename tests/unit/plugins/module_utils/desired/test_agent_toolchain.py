# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Conditions of the toolchain and of packages, and their messages."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_toolchain
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import (
    Deep,
    InstalledToolchain,
    ToolchainTree,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import (
    SUITABLE,
    TREE,
    policy,
    values,
    wanted,
)


def installed(**given):
    """A host with the toolchain for these variables."""
    options = {name: values(**given)[f"agent_toolchain_{name}"] for name in agent_toolchain.OPTIONS}
    request = Request.from_options(options)
    toolchains = [
        InstalledToolchain(
            one.channel, one.channel, one.channel, one.profile, list(one.components), list(one.targets), one.sha256
        )
        for one in request.toolchains
    ]
    found = ToolchainTree(True, json.dumps(request.to_dict(), sort_keys=True), toolchains, [], [])
    return replace(SUITABLE, toolchains={TREE: found})


def tree(**changes):
    observed = installed()
    return replace(observed, toolchains={TREE: replace(observed.toolchains[TREE], **changes)})


def manifest(*trees):
    return replace(installed(), manifest=Manifest({"agent_toolchain": RoleRecord(trees=list(trees))}))


def toolchain(observed, **variables):
    (condition,) = [one for one in wanted(agent_toolchain, observed, **variables).conditions if one.kind == "toolchain"]
    return condition


def test_toolchain_as_requested_is_compliant():
    assert toolchain(installed()).found is True


def test_server_of_a_toolchain_is_not_compared():
    assert toolchain(installed(), agent_toolchain_dist_server="https://another.example").found is True


@pytest.mark.parametrize(
    ("observed", "variables", "part"),
    [
        (replace(SUITABLE, toolchains={}), {}, "not installed"),
        (tree(present=False, problems=["is no link"]), {}, "is no link"),
        (tree(problems=["bin/rustc: is missing"]), {}, "bin/rustc: is missing"),
        (manifest(TREE, "/opt/old/toolchain"), {}, "/opt/old/toolchain"),
        (installed(), {"agent_policy_rust_channel": "1.93.0"}, "1.93.0"),
        (installed(), {"agent_toolchain_extra": [{"channel": "nightly-2026-05-19"}]}, "nightly-2026-05-19"),
        (installed(), {"agent_toolchain_components": ["clippy"]}, "rustfmt"),
        (installed(), {"agent_policy_prefix": "/srv/nova"}, ""),
        (tree(request=""), {}, ""),
        (installed(), {"agent_toolchain_rustup_version": "1.28.0"}, ""),
    ],
)
def test_difference_is_one_condition_with_the_reason(observed, variables, part):
    """toolchain/test_compare.py has every kind of difference."""
    found = toolchain(observed, **variables)
    assert found.found is False and found.differs and found.why and part in found.why


def test_options_of_the_module_come_from_the_variables():
    options = agent_toolchain.module_options(policy())
    assert options["path"] == TREE and options["channel"] == "1.92.0"
    assert {"dist_server", "update_root"} < set(options)


def test_packages_are_conditions():
    observed = replace(installed(), packages={"build-essential": False})
    conditions = wanted(agent_toolchain, observed, agent_toolchain_packages=["build-essential", "git"]).conditions
    assert [(one.name, one.found) for one in conditions if one.kind == "package"] == [
        ("build-essential", False),
        ("git", False),
    ]


def test_separate_rust_of_an_agent_is_a_note():
    observed = replace(installed(), deep=Deep({}, {"agent1": ["/home/agent1/.rustup"]}))
    (note,) = wanted(agent_toolchain, observed).notes
    assert note.name == "agent1" and "/home/agent1/.rustup" in note.text


def test_installed_extra_toolchain_is_not_missing():
    more = [{"channel": "1.91.0"}]
    assert toolchain(installed(agent_toolchain_extra=more), agent_toolchain_extra=more).found is True
