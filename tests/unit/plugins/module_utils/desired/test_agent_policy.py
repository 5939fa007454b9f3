# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What is made of the agents' accounts, and what is noted for retire, over several applies."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.policy.accounts import account_plan

NOTHING = {"group": {"exists": False, "members": []}, "users": {}, "record": {}, "memberships": {}}


def seen(users, members=(), group=True, record=None):
    return {
        "group": {"exists": group, "members": list(members)},
        "users": {name: {"exists": True, "groups": [name, *(["agents"] if name in members else [])]} for name in users},
        "record": record or {},
        "memberships": {joined: list(members) for joined in (record or {}).get("members", {})},
    }


def test_an_empty_host_gets_the_group():
    plan = account_plan(NOTHING, "agents", [])
    assert plan == {
        "pending": True,
        "group": True,
        "users": [],
        "members": [],
        "leavers": [],
        "record": {"groups": ["agents"], "users": [], "members": {}},
        "settled": {"groups": ["agents"], "users": [], "members": {}},
    }


def test_what_is_there_already_is_not_noted_as_ours():
    plan = account_plan(seen(["bob"], members=["bob"]), "agents", ["bob"])
    assert not plan["pending"]
    assert plan["record"] == {"groups": [], "users": [], "members": {}}


def test_the_record_survives_the_next_apply():
    made = {"groups": ["agents"], "users": ["bob"], "members": {"agents": ["bob"]}}
    plan = account_plan(seen(["bob"], members=["bob"], record=made), "agents", ["bob"])
    assert not plan["pending"] and plan["record"] == made


def test_a_killed_apply_is_finished_by_the_next():
    made = {"groups": ["agents"], "users": [], "members": {"agents": ["bob"]}}
    plan = account_plan(seen(["bob"], group=False, record=made), "agents", ["bob"])
    assert plan["group"] and plan["members"] == ["bob"] and plan["record"] == made


def test_who_is_no_longer_listed_leaves_if_we_put_him_in():
    made = {"groups": [], "users": [], "members": {"agents": ["bob"]}}
    plan = account_plan(seen([], members=["bob", "eve"], record=made), "agents", [])
    assert plan["pending"] and plan["leavers"] == [{"name": "bob", "group": "agents"}]
    assert plan["record"]["members"] == {"agents": ["bob"]} and plan["settled"]["members"] == {}
    after = account_plan(seen([], members=["eve"], record=plan["settled"]), "agents", [])
    assert not after["pending"] and after["record"] == plan["settled"]


def test_after_the_group_was_renamed_its_members_leave_the_old_one():
    made = {"groups": [], "users": [], "members": {"old": ["bob"]}}
    found = {**seen(["bob"], record=made), "memberships": {"old": ["bob", "eve"]}}
    plan = account_plan(found, "agents", ["bob"])
    assert plan["leavers"] == [{"name": "bob", "group": "old"}] and plan["members"] == ["bob"]
    assert plan["record"]["members"] == {"old": ["bob"], "agents": ["bob"]}
    assert plan["settled"]["members"] == {"agents": ["bob"]}


def test_without_a_group_everybody_leaves():
    made = {"groups": [], "users": [], "members": {"old": ["bob"], "gone": ["bob"]}}
    found = {**seen([], record=made), "memberships": {"old": ["bob"], "gone": []}}
    assert account_plan(found, None, [])["leavers"] == [{"name": "bob", "group": "old"}]
