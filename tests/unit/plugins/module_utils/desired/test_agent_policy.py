# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Hosts that do not fit the policy, and changes of accounts over several applies."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_policy
from ansible_collections.nova.agent_host.plugins.module_utils.desired.agent_policy import account_plan
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import HostProblems, host_of
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Account, Accounts, AccountsRecord
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import (
    SUITABLE,
    changed,
    policy,
    wanted,
    with_agents,
)


def problems(observed, **variables):
    try:
        host_of(policy(**variables), observed, ["agent_policy", "agent_toolchain"])
    except HostProblems as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(
    ("observed", "variables", "parts"),
    [
        (changed(SUITABLE, "platform", ids=["fedora"], version="44"), {}, ("fedora 44", "Ubuntu 22.04", "Debian 12")),
        (changed(SUITABLE, "platform", version="20.04"), {}, ("ubuntu 20.04", "Ubuntu 22.04")),
        (changed(SUITABLE, "platform", ids=["debian"], version="11"), {}, ("debian 11", "Debian 12")),
        (changed(SUITABLE, "platform", systemd=False), {}, ("systemd", "/run/systemd/system")),
        (changed(SUITABLE, "platform", uid=1000), {}, ("uid 1000", "become: true")),
        (
            changed(SUITABLE, "platform", architecture="riscv64"),
            {},
            ("riscv64", "agent_toolchain_rustup_checksums", "aarch64, x86_64"),
        ),
        (changed(SUITABLE, "memory", total=GIB), {}, ("GiB",)),
        (
            with_agents(missing=("bob",)),
            {"agent_policy_users": ["bob"]},
            ("agent_policy_users", "bob", "agent_policy_create_users: true"),
        ),
        (
            with_agents(missing=("Jane.Doe",)),
            {"agent_policy_users": ["Jane.Doe"], "agent_policy_create_users": True},
            ("agent_policy_users", "Jane.Doe", "useradd"),
        ),
        (
            changed(SUITABLE, "accounts", group_id=None),
            {"agent_policy_group": r"DOM\agents"},
            ("agent_policy_group", r"DOM\agents", "groupadd"),
        ),
        (
            with_agents("ubuntu"),
            {"agent_policy_users": ["ubuntu"]},
            ("ubuntu", "nova-agents", "agent_policy_allow_privileged_users: true"),
        ),
        (with_agents("root", "bob"), {}, ("root", "agent_policy_allow_privileged_users: true")),
        (SUITABLE, {"agent_policy_users": ["bob"]}, ("bob", "agent_policy_users", "leaves out")),
    ],
)
def test_unsuitable_host_is_refused_with_the_reason(observed, variables, parts):
    (line,) = problems(observed, **variables)
    assert [part for part in parts if part not in line] == []


def test_all_reasons_are_reported_at_once_even_without_a_budget():
    observed = changed(changed(SUITABLE, "memory", total=GIB), "platform", uid=1000, systemd=False)
    assert len(problems(observed)) == 3


@pytest.mark.parametrize(
    ("observed", "variables"),
    [
        (SUITABLE, {}),
        (changed(SUITABLE, "platform", ids=["debian"], version="13", architecture="aarch64"), {}),
        (changed(SUITABLE, "platform", ids=["debian"], version=""), {}),  # Debian testing has no version
        (changed(SUITABLE, "platform", version="22.04"), {}),
        (
            changed(SUITABLE, "platform", ids=["linuxmint", "ubuntu", "debian"], version="21"),
            {},
        ),  # its version is not Ubuntu's
        (with_agents("Jane.Doe"), {"agent_policy_users": ["Jane.Doe"]}),
        (SUITABLE, {"agent_policy_group": r"DOM\agents"}),
        (
            with_agents("ubuntu"),
            {"agent_policy_users": ["ubuntu"], "agent_policy_allow_privileged_users": True},
        ),
        (with_agents(missing=("bob",)), {"agent_policy_users": ["bob"], "agent_policy_create_users": True}),
    ],
)
def test_suitable_host_has_no_problem_with_the_policy(observed, variables):
    assert problems(observed, **variables) == []


def accounts(users, members=(), group=True, record=None, memberships=None):
    record = record or AccountsRecord()
    groups = {name: [name, *(["agents"] if name in members else [])] for name in users}
    return Accounts(
        2000 if group else None,
        True,
        list(members),
        {name: Account(True, groups[name]) for name in users},
        "ubuntu",
        record,
        memberships if memberships is not None else {name: list(members) for name in record.members},
    )


def test_host_without_the_group_gets_it():
    plan = account_plan(accounts([], group=False), "agents", ())
    assert plan.pending and plan.group and plan.record == AccountsRecord(["agents"])
    assert (plan.users, plan.members, plan.leavers) == ([], [], [])


def test_existing_accounts_are_not_recorded_as_created():
    plan = account_plan(accounts(["bob"], members=["bob"]), "agents", ("bob",))
    assert not plan.pending and plan.record == AccountsRecord()


def test_record_is_kept_by_the_next_apply():
    record = AccountsRecord(["agents"], ["bob"], {"agents": ["bob"]})
    plan = account_plan(accounts(["bob"], members=["bob"], record=record), "agents", ("bob",))
    assert not plan.pending and plan.record == record


def test_killed_apply_is_finished_by_the_next():
    record = AccountsRecord(["agents"], [], {"agents": ["bob"]})
    plan = account_plan(accounts(["bob"], group=False, record=record), "agents", ("bob",))
    assert plan.group and plan.members == ["bob"] and plan.record == record


def test_unlisted_member_is_removed_if_the_role_added_it():
    record = AccountsRecord([], [], {"agents": ["bob"]})
    plan = account_plan(accounts([], members=["bob", "eve"], record=record), "agents", ())
    assert plan.pending and plan.leavers == [("bob", "agents")]
    assert plan.record.members == {"agents": ["bob"]}  # until the member is removed
    after = account_plan(accounts([], members=["eve"], record=plan.record), "agents", ())
    assert not after.pending and after.record.members == {}


def test_members_leave_the_old_group_after_a_rename():
    record = AccountsRecord([], [], {"old": ["bob"]})
    plan = account_plan(accounts(["bob"], record=record, memberships={"old": ["bob", "eve"]}), "agents", ("bob",))
    assert plan.leavers == [("bob", "old")] and plan.members == ["bob"]
    assert plan.record.members == {"old": ["bob"], "agents": ["bob"]}


def test_members_leave_if_the_group_is_removed():
    record = AccountsRecord([], [], {"old": ["bob"], "gone": ["bob"]})
    plan = account_plan(accounts([], record=record, memberships={"old": ["bob"], "gone": []}), None, ())
    assert plan.leavers == [("bob", "old")]


def conditions(observed, **variables):
    """The differences."""
    found = wanted(agent_policy, observed, **variables).conditions
    return [(one.kind, one.name) for one in found if one.found != one.expected]


def test_accounts_become_conditions():
    assert conditions(SUITABLE) == []
    assert conditions(changed(SUITABLE, "accounts", group_id=None)) == [("group", "nova-agents")]
    variables = {"agent_policy_users": ["bob"], "agent_policy_create_users": True}
    assert conditions(with_agents("bob"), **variables) == []
    assert conditions(with_agents(missing=("bob",)), **variables) == [
        ("account", "bob"),
        ("member", "bob in nova-agents"),
    ]
    left = replace(SUITABLE.accounts, record=AccountsRecord(members={"old": ["eve"]}), memberships={"old": ["eve"]})
    assert conditions(replace(SUITABLE, accounts=left)) == [("member", "eve in old")]


def test_created_accounts_are_recorded_in_a_file():
    observed = changed(with_agents(missing=("bob",)), "accounts", group_id=None)
    variables = {"agent_policy_users": ["bob"], "agent_policy_create_users": True}
    (entry,) = wanted(agent_policy, observed, **variables).entries
    record = AccountsRecord(["nova-agents"], ["bob"], {"nova-agents": ["bob"]})
    assert json.loads(entry.content) == asdict(record)


@pytest.mark.parametrize(
    ("observed", "part"),
    [
        (changed(SUITABLE, "memory", swap=2 * GIB), "swap is on (2 GiB)"),
        (changed(SUITABLE, "fences", overcommit_memory=2), "vm.overcommit_memory is 2"),
        (changed(SUITABLE, "fences", container_users=["a1 (docker)", "a2 (lxd)"]), "a1 (docker), a2 (lxd)"),
        (changed(SUITABLE, "fences", shm_used=3 * GIB), "/dev/shm use 3 GiB"),
    ],
)
def test_settings_that_disable_a_limit_are_notes(observed, part):
    (note,) = wanted(agent_policy, observed).notes
    assert part in note.text
    assert wanted(agent_policy, SUITABLE).notes == ()
