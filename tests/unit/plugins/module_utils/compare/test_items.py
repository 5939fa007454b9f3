# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A host's record: what each part of the observation comes to, and what a comparison that broke off leaves."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import drifted, good
from ansible_collections.nova.agent_host.plugins.module_utils.audit.record import compared, not_compared

GIB = 1 << 30
ROLES = ("agent_ceiling", "agent_hygiene", "agent_limits", "agent_toolchain")
NOTED = {
    "items": [good(role, "file", f"/x/{role}") for role in ROLES],
    "units": {"sweep.timer": {"role": "agent_hygiene", "own": True, "enabled": True, "limited": False}},
}
FOLDER = {"kind": "directory", "mode": "0755", "owner": "root", "group": "root"}
OBSERVED: dict[str, Any] = {
    "memory": {"swap": 0},
    "fences": {"overcommit_memory": 0, "container_users": [], "shm_used": 0},
    "packages": {"build-essential": True},
    "logins": {"sshd_without_pam": False, "pam_without_limits": [], "sessions": []},
    "audit_logs": [],
    "manifest": {"roles": {}},
    "record": {"/var/lib/nova-agent": {"found": FOLDER, "wanted": FOLDER}},
}
SEEN: dict[str, Any] = {
    "logins": {"agent1": {"limits": {"as": [64 * GIB, 64 * GIB], "nofile": [1024, 4096], "core": [0, 0]}}},
    "units": {
        "sweep.timer": {
            "load": "loaded",
            "enabled": "enabled",
            "active": "active",
            "result": "success",
            "stale": False,
            "drop_ins": [],
            "limits": {},
        }
    },
    "own_rustups": {},
}
POLICY: dict[str, Any] = {
    "group": "nova-agents",
    "users": ["agent1"],
    "accounts": {"group": False, "users": [], "members": [], "leavers": []},
    "limits": {"as": [64 * GIB, 64 * GIB], "nofile": [1024, 4096]},
    "ceiling": {"memory_max": "1304G", "holds": True, "outside": []},
    "audit_logs": [{"path": "/home/agent1/audit.log"}],
}


def record(noted: dict = NOTED, **changes: Any) -> dict[str, Any]:
    """The record of a host on which all is right but for changes, each named by its path: part__key=value."""
    given = copy.deepcopy({"observed": OBSERVED, "seen": SEEN, "policy": POLICY})
    for name, value in changes.items():
        *path, key = name.split("__")
        part: Any = given
        for step in path:
            part = part[step]
        part[key] = value
    return compared("host1", noted, given["observed"], given["seen"], given["policy"])


def others(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item["kind"], item["item"], item["status"]) for item in record["items"] if item["status"] != "ok"]


def test_a_host_that_is_right_tells_every_item_as_ok():
    right = record()
    assert right["status"] == "ok" and "why" not in right
    assert [(item["kind"], item["item"]) for item in right["items"] if item["kind"] != "file"] == [
        ("ceiling", "user.slice"),
        ("audit log", "/home/agent1/audit.log"),
        ("way in", "sshd"),
        ("limits", "agent1"),
        ("group", "nova-agents"),
        ("account", "agent1"),
        ("member", "agent1 in nova-agents"),
        ("directory", "/var/lib/nova-agent"),
        ("package", "build-essential"),
        ("unit", "sweep.timer"),
    ]


@pytest.mark.parametrize(
    ("change", "kind", "name", "why"),
    [
        ({"policy__accounts__group": True}, "group", "nova-agents", "does not exist"),
        ({"policy__accounts__users": ["agent1"]}, "account", "agent1", "does not exist"),
        ({"policy__accounts__members": ["agent1"]}, "member", "agent1 in nova-agents", "is not"),
        ({"policy__accounts__leavers": [{"name": "old", "group": "g"}]}, "member", "old in g", "is still, and no longer to be"),
        ({"observed__record": {"/v": {"found": {**FOLDER, "mode": "0777", "owner": "bob"}, "wanted": FOLDER}}}, "directory", "/v", "mode 0777, not 0755, owner bob, not root"),
        ({"observed__packages": {"git": False}}, "package", "git", "is not installed"),
        ({"observed__logins__pam_without_limits": ["cron"]}, "way in", "/etc/pam.d/cron", "sets no limits: add `session required pam_limits.so`"),
        (
            {"observed__logins__sshd_without_pam": True},
            "way in",
            "sshd",
            "works without PAM, so no limit holds for what comes in by ssh: set UsePAM yes in /etc/ssh/sshd_config",
        ),
        ({"policy__limits": {"as": [None, None]}}, "limits", "agent1", "a new login gets as 68719476736, not unlimited"),
        ({"policy__limits": {"nofile": [1, 2]}}, "limits", "agent1", "a new login gets nofile 1024:4096, not 1:2"),
        ({"policy__limits": {"nofile": [1024, 8192]}}, "limits", "agent1", "a new login gets nofile 1024:4096, not 1024:8192"),
        ({"policy__ceiling__holds": False}, "ceiling", "user.slice", "the kernel does not have the maximum of 1304G, or has swap beside it"),
        ({"policy__ceiling__outside": ["cron"]}, "ceiling", "cron.service", "runs above the ceiling: restart it"),
        ({"observed__audit_logs": [{"path": "/home/agent1/audit.log", "kind": "wide", "text": "mode 0644"}]}, "audit log", "/home/agent1/audit.log", "mode 0644"),
        ({"seen__units__sweep.timer__active": "inactive"}, "unit", "sweep.timer", "is inactive, not active"),
    ],
)  # fmt: skip
def test_each_thing_that_differs_is_one_drifted_item(change, kind, name, why):
    wrong = record(**change)
    assert wrong["status"] == "drifted"
    assert others(wrong) == [(kind, name, "drifted")]
    assert [item["why"] for item in wrong["items"] if item["status"] == "drifted"] == [why]


@pytest.mark.parametrize(
    ("change", "kind", "name"),
    [
        ({"seen__own_rustups": {"agent1": ["/home/agent1/.rustup"]}}, "own rustup", "agent1"),
        ({"observed__memory__swap": GIB}, "fence", "swap"),
        (
            {"observed__logins__sessions": [{"user": "agent1", "unit": "s", "limits": {"as": None, "nofile": 1}}]},
            "sessions",
            "agent1 (1)",
        ),
    ],
)
def test_what_nobody_holds_is_a_note_and_the_host_is_right(change, kind, name):
    told = record(**change)
    assert told["status"] == "ok"
    assert others(told) == [(kind, name, "note")]


def test_a_login_that_could_not_be_tried_is_unknown():
    assert record(seen__logins={"agent1": {"error": "no"}})["status"] == "unknown"
    # Drift is worse than not knowing.
    both = record(seen__logins={"agent1": {"error": "no"}}, observed__packages={"git": False})
    assert both["status"] == "drifted"


def test_only_what_belongs_to_the_plays_roles_is_told():
    part = record(
        noted={"items": [good("agent_wrappers", "file", "/x")], "units": {}}, observed__packages={"git": False}
    )
    assert {item["role"] for item in part["items"]} == {"agent_wrappers", "agent_policy"}


def test_no_ceiling_is_no_item():
    assert "agent_ceiling" not in {
        item["role"] for item in record(policy__ceiling={})["items"] if item["kind"] != "file"
    }


MANIFEST = {
    "agent_limits": {
        "paths": {"/b": {"kind": "file"}, "/a": {"kind": "link"}, "/gone": {"kind": "absent"}},
        "trees": ["/opt/toolchain"],
    }
}


def test_a_comparison_that_broke_off_keeps_what_it_found_and_lists_the_rest():
    noted = {"items": [drifted("agent_limits", "link", "/a", "is missing", ["kind"])], "units": {}}
    broken = not_compared("host1", noted, {"manifest": {"roles": MANIFEST}}, "no root")
    assert (broken["status"], broken["why"]) == ("unknown", "no root")
    assert others(broken) == [
        ("link", "/a", "drifted"),
        ("file", "/b", "unknown"),
        ("toolchain", "/opt/toolchain", "unknown"),
    ]
    assert broken["items"][1]["why"] == "not compared: no root"


@pytest.mark.parametrize(
    ("observed", "lost"), [({"unreachable": True}, False), ({"manifest": {"roles": MANIFEST}}, True)]
)
def test_a_host_that_was_not_reached_or_lost_is_unreachable(observed, lost):
    assert not_compared("host1", {}, observed, "no route", lost)["status"] == "unreachable"


def test_a_host_that_is_lost_at_the_last_look_is_unreachable():
    assert compared("host1", NOTED, OBSERVED, {"unreachable": True, "msg": "gone"}, POLICY)["why"] == "gone"


def test_diffs_become_text_and_stay_short():
    piece = {"before_header": "/x", "after_header": "/x", "before": "a\nb\n", "after": "a\nc"}
    long = {**piece, "before": "", "after": "".join(f"{number}\n" for number in range(1000))}
    items = [
        {**drifted("agent_limits", "file", name, "other content", ["content"]), "diff": [part]}
        for name, part in (("/x", piece), ("/y", long))
    ]
    first, second = (item["diff"] for item in record(noted={"items": items, "units": {}})["items"][:2])
    assert first == "--- /x (found)\n+++ /x (wanted)\n@@ -1,2 +1,3 @@\n a\n-b\n+c\n+\\ No newline at end of file"
    assert second.count("\n") == 200 and second.endswith("... and 803 more lines")
