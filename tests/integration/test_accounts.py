# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Accounts that the policy added to the agents' group are removed from it, and no others."""

from __future__ import annotations

import pytest

LEAVE = "command"  # gpasswd --delete
PROTECTED = "the agents' limits would apply to ubuntu, which is root or the account that the play logs in with: remove it from group builders"


@pytest.fixture(scope="module", autouse=True)
def accounts(lab):
    lab.run("host1", "groupadd builders; for name in alice bob eve; do useradd $name; done; gpasswd --add eve builders")


def apply(lab, *arguments, **variables):
    return lab.roles("agent_policy", arguments=arguments, **variables)


def members(lab, group):
    return lab.run("host1", f"getent group {group} | cut -d: -f4").strip()


def test_unlisted_account_leaves_the_group_and_check_mode_agrees(lab):
    apply(lab, agent_policy_group="builders", agent_policy_users=["alice", "bob"]).succeeded()
    assert sorted(members(lab, "builders").split(",")) == ["alice", "bob", "eve"]
    checked = apply(lab, "--check", agent_policy_group="builders", agent_policy_users=["bob"]).succeeded()
    assert LEAVE in checked.changed["host1"]
    assert sorted(members(lab, "builders").split(",")) == ["alice", "bob", "eve"]
    done = apply(lab, agent_policy_group="builders", agent_policy_users=["bob"]).succeeded()
    assert done.changed == checked.changed
    assert members(lab, "builders") == "eve,bob"
    assert apply(lab, agent_policy_group="builders", agent_policy_users=["bob"]).succeeded().changed == {}


def test_members_join_the_renamed_group_and_leave_the_old_one(lab):
    apply(lab, agent_policy_group="builders", agent_policy_users=["bob"]).succeeded()
    apply(lab, agent_policy_users=["bob"]).succeeded()
    assert (members(lab, "builders"), members(lab, "nova-agents")) == ("eve", "bob")
    assert apply(lab, agent_policy_users=["bob"]).succeeded().changed == {}


def test_retire_removes_members_from_the_recorded_groups(lab):
    apply(lab, agent_policy_users=["bob"]).succeeded()
    apply(lab, agent_policy_group="builders", agent_policy_users=["bob"]).succeeded()
    checked = lab.retire("--check").succeeded()
    done = lab.retire().succeeded()
    assert LEAVE in done.changed["host1"]
    assert done.changed == checked.changed
    assert members(lab, "builders") == "eve"
    assert lab.run("host1", "getent group nova-agents || echo none").strip() == "none"


def test_login_account_with_the_group_as_primary_group_is_protected(lab):
    lab.run("host1", "usermod --gid builders ubuntu")
    try:
        assert PROTECTED in apply(lab, agent_policy_group="builders").failed().messages
    finally:
        lab.run("host1", "usermod --gid ubuntu ubuntu")


def test_login_account_that_uses_su_is_protected(lab):
    if lab.run("host1", "cat /proc/self/loginuid").strip() == str(2**32 - 1):
        pytest.skip("this machine's kernel does not record who logged in to its containers")
    lab.run("host1", "echo root:secret | chpasswd")
    try:
        become = {"ansible_become_method": "ansible.builtin.su", "ansible_become_password": "secret"}
        users = {"agent_policy_group": "builders", "agent_policy_users": ["ubuntu"]}
        assert PROTECTED in apply(lab, **become, **users).failed().messages
    finally:
        lab.run("host1", "passwd --lock root")


def test_false_as_text_from_the_command_line_is_false(lab):
    """`-e x=false` is text. If it counted as true, the play would create the account."""
    output = apply(lab, "-e", "agent_policy_create_users=false", agent_policy_users=["ghost"]).failed().messages
    assert "agent_policy_users has ghost, which the host does not have" in output
    users = {"agent_policy_group": "builders", "agent_policy_users": ["ubuntu"]}
    output = apply(lab, "-e", "agent_policy_allow_privileged_users=false", **users).failed().messages
    assert PROTECTED in output


def test_original_of_a_removed_owner_is_given_to_root(lab):
    """Retire restores the file with its content. Its owner no longer exists."""
    guide = "/opt/nova-agent/GUIDE.md"
    lab.run("host1", f"useradd leaver; install -D -o leaver -m 0640 <(echo mine) {guide}")
    lab.roles("agent_wrappers").succeeded()
    lab.run("host1", "userdel leaver")
    assert f"{guide} belonged to leaver:" in lab.retire("--check").succeeded().messages
    lab.retire().succeeded()
    assert lab.run("host1", f"cat {guide}; stat -c '%U %a' {guide}").split() == ["mine", "root", "640"]
    lab.run("host1", "rm -r /opt/nova-agent")


@pytest.fixture(scope="module")
def directory(lab):
    """libnss-extrausers is a STAND-IN for a directory such as LDAP: two accounts, and a group with one of them."""
    lab.run(
        "host1",
        "apt-get -qq update; apt-get -qqy install libnss-extrausers;"
        " sed -i -E 's/^(passwd|group):.*/\\1: files extrausers/' /etc/nsswitch.conf; cd /var/lib/extrausers;"
        " for user in Jane.Doe:x:20001 dir-agent:x:20002; do echo $user:20001::/home/${user%%:*}:/bin/bash; done >passwd;"
        " printf 'domain-users:x:20001:\\ndir-agents:x:20010:Jane.Doe\\n' >group;"
        " for user in Jane.Doe dir-agent; do install -d -o $user /home/$user; done",
    )


LIMIT = "runuser -l Jane.Doe -c 'ulimit -v'"


def test_directory_accounts_join_and_leave_a_local_group(lab, directory):
    users = {"agent_policy_users": ["Jane.Doe", "dir-agent"]}
    lab.roles("agent_limits", **users).succeeded()
    assert lab.roles("agent_limits", **users).succeeded().changed == {}
    assert sorted(members(lab, "nova-agents").split(",")) == ["Jane.Doe", "dir-agent"]
    assert lab.run("host1", LIMIT).strip() == str(64 << 20)
    lab.retire().succeeded()
    assert lab.run("host1", f"getent group nova-agents; {LIMIT}").strip() == "unlimited"


def test_directory_group_is_used_unchanged(lab, directory):
    """The pool is created at boot, when the directory may not answer yet."""
    ours = {"agent_policy_group": "dir-agents", "agent_policy_users": ["Jane.Doe"]}
    lab.roles("agent_limits", "agent_wrappers", **ours).succeeded()
    assert lab.roles("agent_limits", "agent_wrappers", **ours).succeeded().changed == {}
    assert lab.run("host1", LIMIT).strip() == str(64 << 20)
    lab.run(
        "host1",
        "cd /etc; sed -i 's/ extrausers//' nsswitch.conf; systemctl restart nova-agent-pool; ls /run/nova-agent/pool",
    )
    lab.run("host1", "cd /etc; sed -i -E 's/^(passwd|group):.*/& extrausers/' nsswitch.conf")
    outside = {**ours, "agent_policy_users": ["Jane.Doe", "dir-agent"]}
    assert "this host can't add dir-agent" in apply(lab, **outside).failed().messages
