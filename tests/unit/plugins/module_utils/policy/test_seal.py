# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A seal holds only while everything that it stands for does."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import UNKNOWN
from ansible_collections.nova.agent_host.plugins.module_utils.policy.seal import collection_digest, fingerprint, sealed
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest

VARIABLES = {
    "agent_policy_group": "agents",
    "agent_policy_users": ["bob"],
    "agent_policy_prefix": "/opt/nova-agent",
    "agent_ceiling_enabled": False,
    "agent_wrappers_guard_template": "cargo-guard.j2",
}
SPECS = {name: {"default": value} for name, value in VARIABLES.items()}
WANTS = "/etc/systemd/system/timers.target.wants/sweep.timer"
LINK = {"kind": "link", "target": "/etc/systemd/system/sweep.timer", "owner": "root", "group": "root"}
MANIFEST = "/var/lib/nova-agent/manifest.json"
OWN = {"kind": "file", "mode": "0644", "owner": "root", "group": "root"}
FILE = {"kind": "file", "sha256": "11", "mode": "0644", "owner": "root", "group": "root"}
SEEN = {
    "memory": {"total": 2**40},
    "cpus": 192,
    "platform": {"ids": ["ubuntu"]},
    "budget": {"available": 2**39},
    "ceiling": {"administrators": {"ubuntu": 1000}},
    "manifest": {
        "seal": "",
        "roles": {
            "agent_limits": {
                "paths": {
                    "/etc/x": {**FILE, "before": {"kind": "absent"}},
                    WANTS: {**LINK, "before": {"kind": "absent"}},
                },
                "trees": ["/t"],
            }
        },
    },
    "record": {MANIFEST: {"found": OWN, "wanted": OWN}},
    "files": {"/etc/x": FILE, WANTS: LINK},
    "toolchains": {"/t": {"present": True, "problems": []}},
    "packages": {"gcc": True},
    "units": {
        "sweep.timer": {"enabled": "enabled", "active": "active", "stale": False},
        "cron.service": {"enabled": "disabled", "active": "inactive", "stale": False},
    },
    "audit_logs": [],
    "accounts": {
        "group": {"exists": True, "members": ["bob"]},
        "users": {"bob": {"exists": True, "groups": ["agents"]}},
        "record": {},
        "memberships": {},
    },
}
POLICY = fingerprint(VARIABLES, SPECS, SEEN, "digest")


def seen(path=(), value=None):
    """The sealed host, with another value at a path."""
    host = copy.deepcopy(SEEN)
    host["manifest"]["seal"] = POLICY
    place = host
    for name in path[:-1]:
        place = place[name]
    if path:
        place[path[-1]] = value
    return host


def test_a_host_that_is_as_recorded_is_sealed():
    assert sealed(seen(), VARIABLES, POLICY)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("manifest", "seal"), "of another policy"),
        (("files", "/etc/x", "sha256"), "22"),
        (("files", "/etc/x", "mode"), "0666"),
        (("files", "/etc/x", "owner"), "bob"),
        (("files", "/etc/x"), {"kind": "absent"}),
        (("manifest", "roles", "agent_limits", "paths", "/etc/x", "kept"), True),
        (("toolchains", "/t", "problems"), ["rustc is gone"]),
        (("toolchains", "/t", "present"), False),
        (("packages", "gcc"), False),
        (("units", "sweep.timer", "active"), "inactive"),
        (("units", "sweep.timer", "enabled"), "disabled"),
        (("record", MANIFEST, "found"), {**OWN, "owner": "bob"}),
        (("record", MANIFEST, "found"), {**OWN, "mode": "0666"}),
        (("units", "cron.service", "stale"), True),
        (("units", "cron.service"), UNKNOWN),
        (("audit_logs",), [{"path": "/home/bob/audit.log"}]),
        (("accounts", "group", "exists"), False),
        (("accounts", "users", "bob", "groups"), []),
    ],
)
def test_whatever_differs_breaks_the_seal(path, value):
    assert not sealed(seen(path, value), VARIABLES, POLICY)


def test_a_ceiling_that_the_kernel_does_not_hold_breaks_the_seal():
    variables = {
        **VARIABLES,
        "agent_ceiling_enabled": True,
        "agent_ceiling_administrator_memory": "512M",
        "agent_ceiling_schedulers": [],
    }
    host = seen(
        ("ceiling",), {"administrators": {}, "services": [], "users": {"memory_max": 2**39, "swap_max": 0, "in_use": 1}}
    )
    assert sealed(host, variables, POLICY)
    host["ceiling"]["users"]["memory_max"] = None
    assert not sealed(host, variables, POLICY)


def test_what_decides_about_files_is_in_the_fingerprint():
    others = [
        fingerprint({**VARIABLES, "agent_policy_users": []}, SPECS, SEEN, "digest"),
        fingerprint(VARIABLES, SPECS, {**SEEN, "cpus": 96}, "digest"),
        fingerprint(VARIABLES, SPECS, {**SEEN, "budget": {"available": 1}}, "digest"),
        fingerprint(VARIABLES, SPECS, {**SEEN, "ceiling": {"administrators": {"ubuntu": 1001}}}, "digest"),
        fingerprint(VARIABLES, SPECS, SEEN, "of another version"),
    ]
    assert len({POLICY, *others}) == 6


def test_a_template_of_the_users_own_is_never_sealed():
    policy = fingerprint({**VARIABLES, "agent_wrappers_guard_template": "mine.j2"}, SPECS, SEEN, "digest")
    assert policy == "" and not sealed(seen(("manifest", "seal"), ""), VARIABLES, policy)


def test_the_collection_s_digest_changes_with_any_of_its_files(tmp_path):
    for name in ("roles/a/templates/x.j2", "plugins/filter/x.py", "docs/x.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("one")
    before = collection_digest(tmp_path)
    (tmp_path / "docs/x.md").write_text("two")
    assert collection_digest(tmp_path) == before
    (tmp_path / "roles/a/templates/x.j2").write_text("two")
    assert collection_digest(tmp_path) != before


def test_any_change_breaks_the_seal_and_names_itself(tmp_path):
    path = str(tmp_path / "manifest.json")
    manifest = Manifest({"agent_limits": {"paths": {}, "trees": ["/t"]}})
    manifest.save(path, {"token": "one", "seen": ""}, "policy")
    assert (Manifest.load(path).run, Manifest.load(path).seal) == ("one", "policy")
    manifest.save(path, {"token": "two", "seen": "one"})
    assert (Manifest.load(path).run, Manifest.load(path).seal) == ("two", "")


def test_two_applies_at_once_leave_a_host_that_neither_may_seal(tmp_path):
    path = str(tmp_path / "manifest.json")
    one, two = {"token": "one", "seen": ""}, {"token": "two", "seen": ""}
    manifest = Manifest({"agent_limits": {"paths": {}, "trees": ["/t"]}})
    manifest.save(path, one)
    manifest.save(path, two)
    assert not manifest.alone(one) and not manifest.alone(two)
    manifest.save(path, one)
    assert not manifest.alone(one) and not manifest.alone(two)
    three = {"token": "three", "seen": manifest.run}
    assert manifest.alone(three)
