# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A name that looks like a variable of the collection, but is none, ends the play before any connection."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import PLAYBOOK_VARIABLES
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
INVENTORY = "agent_hosts: {hosts: {build1: {ansible_connection: local, ansible_python_interpreter: /nonexistent}}}\n"


@pytest.mark.parametrize("name", ["agent_wrapper_slots", "agent_host_group", "agents_policy_users", "agent_site_seria"])
@pytest.mark.parametrize("playbook", ["site", "audit"])
def test_misspelt_variable_ends_the_play(tmp_path: Path, playbook: str, name: str) -> None:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    run = ansible_playbook(
        f"nova.agent_host.{playbook}", "-i", "hosts.yml", "--check", "-e", f"{name}=1", cwd=tmp_path,
        environment={"ANSIBLE_INJECT_FACT_VARS": "false"},
    )  # fmt: skip
    assert run.returncode == 2, run.stdout + run.stderr
    assert f"{name} is not a variable of this collection; did you mean agent_" in run.stdout + run.stderr


def test_own_variables_of_an_operator_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    run = ansible_playbook(
        "nova.agent_host.audit", "-i", "hosts.yml", "-e", "agent_version=1", "-e", "agent_of={{ nosuch }}", cwd=tmp_path
    )
    assert "is not a variable of this collection" not in run.stdout + run.stderr
    assert "nosuch" not in run.stdout + run.stderr


def test_list_has_the_variables_of_all_playbooks() -> None:
    text = "\n".join(path.read_text() for path in PLAYBOOKS.glob("*.yml"))
    names = set(re.findall(r"(?<![\w.])agent_(?:hosts_group|(?:audit|mirror|report|retire|site|task)_\w+)", text))
    modules = {"agent_host_info"}
    assert names - modules == set(PLAYBOOK_VARIABLES)
