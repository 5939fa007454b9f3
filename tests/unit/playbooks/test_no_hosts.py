# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""An inventory without the group of the hosts is an error, because Ansible itself would end with status 0."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.filter.in_inventory import in_inventory
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook

GROUPS = {
    "all": ["build1", "fe80::1", "web1"],
    "ungrouped": ["fe80::1"],
    "builders": ["build1"],
    "web": ["web1"],
    "off": [],
}


@pytest.mark.parametrize("playbook", ["site", "audit", "report", "retire"])
@pytest.mark.parametrize("arguments", [[], ["--limit", "build1"], ["-e", "agent_hosts_group=bilders"]], ids=" ".join)
def test_playbooks_name_the_variable_and_the_existing_groups(
    tmp_path: Path, playbook: str, arguments: list[str]
) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[builders]\nbuild1 ansible_host=192.0.2.1\n")
    run = ansible_playbook(f"nova.agent_host.{playbook}", "-i", str(inventory), *arguments, cwd=tmp_path)
    assert run.returncode not in (0, 2) and run.stdout == ""
    (line,) = [line for line in run.stderr.splitlines() if "agent_hosts_group is" in line]
    assert f"agent_hosts_group is {'bilders' if '-e' in arguments else 'agent_hosts'}, which is no group" in line
    assert line.endswith(
        "its groups are builders: name the group of the hosts for agents with -e agent_hosts_group=GROUP"
    )


@pytest.mark.parametrize("playbook", ["site", "audit", "report", "retire"])
@pytest.mark.parametrize("arguments", [[], ["-i", "nosuch.yml"]], ids=" ".join)
def test_missing_inventory_is_an_error(tmp_path: Path, playbook: str, arguments: list[str]) -> None:
    run = ansible_playbook(f"nova.agent_host.{playbook}", *arguments, cwd=tmp_path)
    assert run.returncode not in (0, 2) and run.stdout == ""
    (line,) = [line for line in run.stderr.splitlines() if "the inventory has no hosts" in line]
    assert "-i" in line


def test_inventory_with_localhost_only_is_an_error(tmp_path: Path) -> None:
    run = ansible_playbook("nova.agent_host.audit", "-i", "localhost,", cwd=tmp_path)
    assert run.returncode not in (0, 2) and "-e agent_hosts_group=GROUP" in run.stderr


@pytest.mark.parametrize("playbook", ["site", "audit", "report", "retire"])
@pytest.mark.parametrize("arguments", [[], ["-i", "localhost,"]], ids=" ".join)
def test_syntax_check_needs_no_inventory(tmp_path: Path, playbook: str, arguments: list[str]) -> None:
    run = ansible_playbook(f"nova.agent_host.{playbook}", "--syntax-check", *arguments, cwd=tmp_path)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "pattern",
    ["builders", "build1", "b*", "builders:!web", "builders,web", "nosuch:web", "builders[0]", "all", "off", "fe80::1", "~b.*",
     "&builders"],
)  # fmt: skip
def test_matching_pattern_is_returned(pattern: str) -> None:
    assert in_inventory(pattern, GROUPS) == pattern


@pytest.mark.parametrize("pattern", ["agent_hosts", "nosuch:!web", "x*", "", "Builders", "agent_hosts:&web"])
def test_pattern_without_a_match_is_an_error(pattern: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"its groups are builders, off, web: "):
        in_inventory(pattern, GROUPS)


def test_inventory_of_an_empty_fleet_passes() -> None:
    assert in_inventory("agent_hosts", {"all": [], "ungrouped": [], "aws_ec2": []}) == "agent_hosts"


def test_localhost_in_another_group_is_an_error() -> None:
    """As with ansible-pull."""
    with pytest.raises(AnsibleFilterError, match="agent_hosts_group"):
        in_inventory("agent_hosts", {"all": ["localhost"], "ungrouped": [], "builders": ["localhost"]})
