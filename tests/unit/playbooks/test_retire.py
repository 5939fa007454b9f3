# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Retire requires a variable if it would retire all hosts of the inventory, also with --limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook

BOTH = "agent_hosts:\n  hosts: {build1: , build2: }\nothers:\n  hosts: {web1: }\n"
ONE = "agent_hosts:\n  hosts: {build1: }\n"
QUESTION = "set -e agent_retire_all_hosts=true"


def retire(folder: Path, inventory: str, *arguments: str) -> str:
    """The output. Nothing listens on the port, so no host can be reached."""
    path = folder / "hosts.yml"
    path.write_text(inventory)
    nowhere = ["-e", "ansible_host=127.0.0.1 ansible_port=1"]
    run = ansible_playbook("nova.agent_host.retire", "-i", str(path), *nowhere, *arguments, cwd=folder)
    assert run.returncode != 0
    return run.stdout + run.stderr


@pytest.mark.parametrize(
    ("inventory", "limit"), [(BOTH, ""), (BOTH, "all"), (BOTH, "*"), (BOTH, "build1,build2"), (ONE, "all"), (ONE, "")]
)
def test_retire_of_all_hosts_needs_the_variable(tmp_path: Path, inventory: str, limit: str) -> None:
    assert QUESTION in retire(tmp_path, inventory, *(["--limit", limit] if limit else []))


@pytest.mark.parametrize(
    ("inventory", "arguments"),
    [
        (BOTH, "--limit build1"),
        (BOTH, "--limit agent_hosts:!build1"),
        (BOTH, "--limit all -e agent_retire_all_hosts=true"),
        (ONE, "--limit build1"),
        (ONE, "--limit localhost,build1"),  # as ansible-pull
    ],
)
def test_retire_of_some_hosts_or_with_the_variable_is_allowed(tmp_path: Path, inventory: str, arguments: str) -> None:
    output = retire(tmp_path, inventory, *arguments.split())
    assert QUESTION not in output and "Read the state of the host" in output
