# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The look at a host: paths of the manifest, accounts, packages and audit logs."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host import observe as host_observe
from ansible_collections.nova.agent_host.plugins.module_utils.host.observe import (
    Question,
    look,
    observe_accounts,
    observe_audit_logs,
    observe_files,
    observe_packages,
)
from ansible_collections.nova.agent_host.plugins.module_utils.observed.decode import decode
from ansible_collections.nova.agent_host.plugins.module_utils.observed.encode import encode
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import AccountsRecord, Observation
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Record, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, PathState
from ansible_collections.nova.agent_host.plugins.module_utils.text import outgoing

ME = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name
PACKAGE = "ansible_collections.nova.agent_host.plugins"


def test_observation_of_this_host_is_decoded(tmp_path):
    """The real look at this machine."""
    question = Question(users=[ME, "nobody-of-that-name"], packages=["dpkg"], manifest=str(tmp_path / "manifest.json"))
    observed = look(question)
    answer = json.loads(json.dumps(outgoing(encode(observed))))
    assert decode(Observation, answer) == observed
    assert observed.accounts.users[ME].exists and not observed.accounts.users["nobody-of-that-name"].exists
    assert (observed.manifest, observed.files, observed.deep) == (Manifest(), {}, None)


def test_files_of_the_manifest_and_requested_files_are_read(tmp_path):
    ours, theirs = tmp_path / "limits.conf", tmp_path / "holder.1"
    ours.write_text("one\n")
    theirs.write_text("an agent's\n")
    recorded = {
        str(ours): Record(observe(str(ours)), ABSENT),
        str(theirs): Record(observe(str(theirs), content=False), ABSENT),
    }
    found = observe_files(Manifest({"r": RoleRecord(recorded)}), [str(tmp_path), str(tmp_path / "none")])
    assert found[str(ours)] == observe(str(ours)) and found[str(ours)].sha256
    assert found[str(theirs)].kind == "file" and not found[str(theirs)].sha256  # a foreign file is never read
    assert found[str(tmp_path)].kind == "directory" and found[str(tmp_path / "none")] == ABSENT


def test_accounts_and_their_record_are_read(tmp_path):
    record = {"groups": [GROUP], "users": [ME], "members": {GROUP: [ME], "no-such-group": ["x"]}}
    (tmp_path / "accounts.json").write_text(json.dumps(record))
    found = observe_accounts(GROUP, [ME], str(tmp_path))
    assert found.group_id == os.getegid() and ME in found.members and GROUP in found.users[ME].groups
    assert found.record == AccountsRecord(**record)
    assert found.memberships["no-such-group"] == []
    none = observe_accounts("no-such-group", [], str(tmp_path / "none"))
    assert (none.group_id, none.members, none.record) == (None, [], AccountsRecord())


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"members": []}', '{"groups": 5}'])
def test_damaged_record_of_accounts_counts_as_empty(tmp_path, text):
    (tmp_path / "accounts.json").write_text(text)
    assert observe_accounts("no-such-group", [], str(tmp_path)).record == AccountsRecord()


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_something_else_at_the_path_of_the_record_does_not_end_the_look(tmp_path, make):
    """The comparison reports the path."""
    make(tmp_path / "accounts.json")
    assert observe_accounts("no-such-group", [], str(tmp_path)).record == AccountsRecord()


STATUS = """\
Package: gcc
Essential: no
Status: install ok installed
Architecture: amd64
Version: 4:12.2.0-3
Provides: c-compiler, gcc-x86-64-linux-gnu (= 4:12.2.0-3), gcc:amd64

Package: dpkg
Essential: yes
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: tzdata
Status: install ok installed
Architecture: all
Version: 2025b-0

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: git
Status: deinstall ok config-files
Architecture: amd64
Version: 1:2.39
"""


def test_installed_packages_are_found_under_every_name(tmp_path, monkeypatch):
    monkeypatch.setattr(host_observe, "DPKG_STATUS", str(tmp_path / "status"))
    assert observe_packages(["gcc"]) == {"gcc": False}  # no dpkg
    (tmp_path / "status").write_text(STATUS)
    installed = [
        "gcc",
        "gcc:amd64",
        "gcc=4:12.2.0-3",
        "gcc:amd64=4:12.2.0-3",
        "gcc=4:12.2*",
        "c-compiler",
        "gcc-x86-64-linux-gnu",
        "gcc:native",
        "tzdata:amd64",
        "tzdata:all",
        "tzdata:native=2025b*",
        "dpkg",
        "libc6:i386",
    ]
    missing = ["libc6:amd64", "libc6:native", "tzdata:arm64", "git", "gcc:arm64", "gcc=1", "gcc=4:13*", "cc"]
    assert observe_packages([*installed, *missing]) == {
        **dict.fromkeys(installed, True),
        **dict.fromkeys(missing, False),
    }


def test_only_requested_audit_logs_are_checked(tmp_path):
    path = f"{tmp_path}/gone/audit.log"
    (finding,) = observe_audit_logs([(path, "root")])
    assert finding.path == path and f"{tmp_path}/gone" in finding.text
    assert observe_audit_logs([]) == []


def test_path_below_a_foreign_link_is_unreadable_and_the_look_continues(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give a link to somebody else")
    (tmp_path / "link").symlink_to("/etc")
    os.chown(tmp_path / "link", 54321, -1, follow_symlinks=False)
    found = observe_files(Manifest(), [str(tmp_path / "link/passwd")])[str(tmp_path / "link/passwd")]
    assert found == PathState("unreadable", why=found.why) and found.why


def test_look_loads_no_code_that_compares_or_changes():
    """On every trip, the host compiles each file that a look loads."""
    collections = host_observe.__file__.partition("/ansible_collections/")[0]
    command = [sys.executable, "-c", f"import sys, {PACKAGE}.modules.agent_host_info; print(*sys.modules)"]
    loaded = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": collections}
    ).stdout
    ours = {name.rpartition(".module_utils.")[2] for name in loaded.split() if name.startswith(PACKAGE)}
    assert {"host.observe", "state.look"} <= ours
    not_needed = (
        *("compare", "hygiene", "desired.shapes", "host.deep", "warm.seeds", "warm.tree"),
        *("state.apply", "state.change", "state.foreign", "state.plan"),
    )
    assert [name for name in ours if name.startswith(not_needed)] == []
