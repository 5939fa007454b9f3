# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The error of a play if the manifest can't be written."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file immutable")
def test_immutable_manifest_is_named_with_the_remedy(tmp_path):
    manifest = tmp_path / "nova-agent/manifest.json"

    def apply(name: str) -> subprocess.CompletedProcess[str]:
        entries = [{"path": str(tmp_path / name), "content": "x", "mode": "0644"}]
        task = {
            "nova.agent_host.host_state": {
                "roles": [{"role": "agent_limits", "entries": entries}],
                "manifest": str(manifest),
            }
        }
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
        (tmp_path / "play.yml").write_text(json.dumps([play]))
        return ansible_playbook("play.yml", cwd=tmp_path)

    first = apply("one")
    assert first.returncode == 0, first.stdout + first.stderr
    if subprocess.run(["chattr", "+i", str(manifest)], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no immutable files on this file system")
    try:
        refused = apply("two")
    finally:
        subprocess.run(["chattr", "-i", str(manifest)], check=True)
    assert refused.returncode == 2
    message = f"{manifest}: Operation not permitted; {manifest} is immutable or append-only: chattr -ia {manifest}"
    assert message in refused.stdout + refused.stderr, refused.stdout
    assert os.listdir(manifest.parent) == ["manifest.json"] and not (tmp_path / "two").exists()
