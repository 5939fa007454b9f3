# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The example of an execution environment, and the requirements of the collection."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_ansible_builder_accepts_the_example(tmp_path: Path) -> None:
    example = ROOT / "docs/examples/execution-environment.yml"
    create = ["ansible-builder", "create", "--file", str(example), "--context", str(tmp_path / "context")]
    done = subprocess.run(create, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ansible-core>=2.16" in (tmp_path / "context/Containerfile").read_text()
    assert "nova.agent_host" in (tmp_path / "context/_build/requirements.yml").read_text()


def test_ansible_builder_reads_the_requirements_of_the_collection(tmp_path: Path) -> None:
    (tmp_path / "ansible_collections/nova").mkdir(parents=True)
    (tmp_path / "ansible_collections/nova/agent_host").symlink_to(ROOT)
    done = subprocess.run(["ansible-builder", "introspect", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout.partition("---")[2])
    assert found in ({"python": {}, "system": {}}, {"python": [], "system": []}), found
