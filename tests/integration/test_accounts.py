# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Who comes into the agents' group leaves it again, and nobody else does."""

from __future__ import annotations

import pytest

LEAVE = "Take accounts that are no longer listed out of the group"
POLICY = [{"hosts": "agent_hosts", "become": True, "gather_facts": False, "roles": ["nova.agent_host.agent_policy"]}]


@pytest.fixture(scope="module", autouse=True)
def accounts(lab):
    lab.run("host1", "groupadd builders; for name in alice bob eve; do useradd $name; done; gpasswd --add eve builders")
    yield
    lab.play("nova.agent_host.retire").succeeded()
    lab.run("host1", "for name in alice bob eve; do userdel $name; done; groupdel builders")


def members(lab, group):
    return lab.run("host1", f"getent group {group} | cut -d: -f4").strip()


def test_check_mode_tells_who_would_leave(lab):
    lab.play(POLICY, agent_policy_group="builders", agent_policy_users=["alice", "bob"]).succeeded()
    assert members(lab, "builders") == "eve,alice,bob"
    told = lab.play(POLICY, "--check", agent_policy_group="builders", agent_policy_users=["bob"]).succeeded()
    assert LEAVE in told.changed["host1"]
    assert members(lab, "builders") == "eve,alice,bob"
    done = lab.play(POLICY, agent_policy_group="builders", agent_policy_users=["bob"]).succeeded()
    assert done.changed == told.changed
    assert members(lab, "builders") == "eve,bob"


def test_another_group_is_joined_and_the_first_one_left(lab):
    lab.play(POLICY, agent_policy_users=["bob"]).succeeded()
    assert (members(lab, "builders"), members(lab, "nova-agents")) == ("eve", "bob")
    assert lab.play(POLICY, agent_policy_users=["bob"]).succeeded().changed == {}


def test_retire_asks_the_host_which_groups_to_leave(lab):
    lab.play(POLICY, agent_policy_group="builders", agent_policy_users=["bob"]).succeeded()
    told = lab.play("nova.agent_host.retire", "--check").succeeded()
    done = lab.play("nova.agent_host.retire").succeeded()
    assert "Take the accounts out of groups that were there before" in done.changed["host1"]
    assert done.changed == told.changed
    assert members(lab, "builders") == "eve"
    assert lab.run("host1", "getent group nova-agents || echo none").strip() == "none"
