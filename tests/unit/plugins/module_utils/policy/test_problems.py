# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Every way in which a host can be unfit, with the exact sentence that says so."""

from __future__ import annotations

from copy import deepcopy

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.policy.problems import host_problems

GOOD_HOST = {
    "platform": {"ids": ["ubuntu", "debian"], "version": "24.04", "architecture": "x86_64", "systemd": True, "uid": 0},
    "accounts": {"group": {"exists": False, "members": []}, "users": {}, "login_user": "ubuntu", "record": {}},
}


def host(section, **changes):
    changed = deepcopy(GOOD_HOST)
    changed[section].update(changes)
    return changed


AGENT = {"exists": True, "groups": []}


@pytest.mark.parametrize(
    ("observed", "variables", "message"),
    [
        (host("platform", ids=["fedora"], version="44"), {}, "the host runs fedora 44: Ubuntu 22.04 or newer, or Debian 12 or newer, is needed"),
        (host("platform", version="20.04"), {}, "the host runs ubuntu 20.04: Ubuntu 22.04 or newer, or Debian 12 or newer, is needed"),
        (host("platform", ids=["debian"], version="11"), {}, "the host runs debian 11: Ubuntu 22.04 or newer, or Debian 12 or newer, is needed"),
        (host("platform", systemd=False), {}, "the host was not booted with systemd (/run/systemd/system is missing): boot it with systemd as PID 1"),
        (
            host("platform", architecture="riscv64"),
            {},
            "the host's architecture is riscv64; agent_toolchain_rustup_checksums has aarch64, x86_64: add a checksum for it, or leave the host out",
        ),
        (host("platform", uid=1000), {}, "the play works as uid 1000, and root is needed: set become: true, and no become_user"),
        ({**GOOD_HOST, "budget_error": "no agent fits"}, {}, "no agent fits"),
        (
            host("accounts", users={"bob": {"exists": False, "groups": []}}),
            {"agent_policy_users": ["bob"]},
            "agent_policy_users has bob, no account of the host: create it first, or set agent_policy_create_users: true",
        ),
        (
            host("accounts", users={"ubuntu": AGENT}),
            {"agent_policy_users": ["ubuntu"], "agent_policy_group": "nova-agents"},
            "ubuntu would be under the agents' limits in group nova-agents, and this is root or the account that the play logs in with: "
            "take it out, or set agent_policy_allow_privileged_users: true",
        ),
        (
            host("accounts", group={"exists": True, "members": ["root", "bob"]}),
            {"agent_policy_group": "nova-agents"},
            "root would be under the agents' limits in group nova-agents, and this is root or the account that the play logs in with: "
            "take it out, or set agent_policy_allow_privileged_users: true",
        ),
    ],
)  # fmt: skip
def test_a_host_that_cannot_take_the_policy_is_refused_with_the_reason(observed, variables, message):
    assert host_problems(observed, variables) == [message]


@pytest.mark.parametrize(
    ("observed", "variables"),
    [
        (GOOD_HOST, {}),
        (host("platform", ids=["debian"], version="13", architecture="aarch64"), {}),
        (host("platform", ids=["debian"], version=""), {}),  # testing has no number
        (host("platform", version="22.04"), {}),
        (host("platform", ids=["linuxmint", "ubuntu", "debian"], version="21"), {}),  # a number of its own
        (host("accounts", users={"ubuntu": AGENT}), {"agent_policy_users": ["ubuntu"], "agent_policy_allow_privileged_users": True}),
        (host("accounts", users={"bob": {"exists": False}}), {"agent_policy_users": ["bob"], "agent_policy_create_users": True}),
    ],
)  # fmt: skip
def test_a_host_that_can_take_the_policy_has_no_problem(observed, variables):
    assert host_problems(observed, variables) == []
