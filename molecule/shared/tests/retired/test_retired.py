# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""All files of the collection are removed, and all files of agents stay."""

from __future__ import annotations

from testinfra.host import Host


def test_no_file_of_the_collection_is_left(host: Host) -> None:
    found = host.check_output("find / /run -xdev '(' -path '*nova-agent*' -o -lname '*nova-agent*' ')'")
    assert found == ""


def test_group_is_removed_and_accounts_stay(host: Host) -> None:
    assert not host.group("nova-agents").exists
    for name in ("agent1", "agent2"):
        assert host.user(name).groups == [name]


def test_homes_are_not_changed(host: Host) -> None:
    for name in ("agent1", "agent2"):
        assert host.file(f"/home/{name}").user == name
        differences = host.run(f"diff --recursive --brief /etc/skel /home/{name}").stdout.splitlines()
        assert [line for line in differences if not line.startswith(f"Only in /home/{name}: ")] == []
    # A test of the applied state created it.
    assert host.file("/home/agent1/crate/Cargo.toml").user == "agent1"


def test_cargo_is_not_found(agent) -> None:
    assert agent("cargo --version").rc == 127


def test_login_is_not_limited_any_more(agent) -> None:
    assert agent("ulimit -v").stdout == "unlimited\n"
