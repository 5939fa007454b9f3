# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The playbook that fills a mirror, without a server."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook


def test_server_that_is_not_reached_is_named_with_what_to_set(tmp_path: Path) -> None:
    server = "http://127.0.0.1:1"
    run = ansible_playbook(
        "nova.agent_host.mirror", "-e", f"agent_mirror_path={tmp_path}/mirror", "-e", f"agent_mirror_source={server}", cwd=tmp_path
    )  # fmt: skip
    assert run.returncode == 2
    output = run.stdout + run.stderr
    assert f"{server}/dist/channel-rust-1.92.0.toml: Connection refused" in output
    assert "agent_mirror_source" in output and "https_proxy" in output
