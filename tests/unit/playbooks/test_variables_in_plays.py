# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Variables whose values are templates: an error names the variable, and never its value, which can have a password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook

PLAY = {"hosts": "localhost", "gather_facts": False, "tasks": [{"nova.agent_host.policy_compare": {}}]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agent_policy_prefix", "{{ missing }}"),
        ("agent_policy_users", ["agent1", "{{ missing }}"]),
        ("agent_policy_rust_channel", "{{ 1 / 0 }}"),  # other defaults follow it
        ("agent_toolchain_environment", {"https_proxy": "http://me:s3cret@{{ missing }}"}),
    ],
)
def test_value_that_cannot_be_rendered_is_named(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([PLAY]))
    run = ansible_playbook(str(path), "-i", "localhost,", "-c", "local", "-e", json.dumps({name: value}), cwd=tmp_path)
    assert run.returncode == 2
    assert f"{name} can't be rendered: " in run.stdout
    assert "s3cret" not in run.stdout + run.stderr
