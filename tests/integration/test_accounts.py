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


PROTECTED = "ubuntu would be under the agents' limits in group builders, and this is root or the account that the play logs in with"


def test_a_login_account_whose_primary_group_it_is_is_protected(lab):
    lab.run("host1", "usermod --gid builders ubuntu")
    try:
        assert PROTECTED in lab.play(POLICY, agent_policy_group="builders").failed().text
    finally:
        lab.run("host1", "usermod --gid ubuntu ubuntu")


def test_a_login_that_became_root_by_su_is_protected(lab):
    if lab.run("host1", "cat /proc/self/loginuid").strip() == str(2**32 - 1):
        pytest.skip("this machine's kernel does not tell its containers who logged in")
    lab.run("host1", "echo root:secret | chpasswd")
    try:
        become = {"ansible_become_method": "ansible.builtin.su", "ansible_become_password": "secret"}
        users = {"agent_policy_group": "builders", "agent_policy_users": ["ubuntu"]}
        assert PROTECTED in lab.play(POLICY, **become, **users).failed().text
    finally:
        lab.run("host1", "passwd --lock root")


def test_text_from_the_command_line_switches_nothing_on(lab):
    """`-e x=false` is text; a play that took it for true would make the account."""
    said = lab.play(POLICY, "-e", "agent_policy_create_users=false", agent_policy_users=["ghost"]).failed().text
    assert "agent_policy_users has ghost, no account of the host" in said
    users = {"agent_policy_group": "builders", "agent_policy_users": ["ubuntu"]}
    said = lab.play(POLICY, "-e", "agent_policy_allow_privileged_users=false", **users).failed().text
    assert PROTECTED in said
