# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A manifest that can't be written is the old one, and the error has its name and the way out."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.change import reason
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest

HELD = {"agent_limits": {"paths": {"/opt/x": {"kind": "file"}}, "trees": []}}


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "nova-agent/manifest.json"
    Manifest(HELD).save(str(path))
    return path


def test_a_full_disk_leaves_the_old_manifest_and_nothing_beside_it(manifest, monkeypatch):
    before = manifest.read_text()

    def full(_data, file, **_options):
        file.write("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError, match="No space left on device") as failed:
        Manifest(HELD).save(str(manifest))
    assert failed.value.filename == str(manifest)
    assert manifest.read_text() == before and os.listdir(manifest.parent) == ["manifest.json"]


@pytest.mark.parametrize("fixed", ["file", "folder"])
def test_an_immutable_manifest_is_named_with_what_to_do(manifest, fixed):
    path = manifest if fixed == "file" else manifest.parent
    done = subprocess.run(["chattr", "+i", str(path)], check=False, text=True, stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip(f"no immutable files here: {done.stderr.strip()} (needs root)")
    try:
        with pytest.raises(PermissionError) as failed:
            Manifest(HELD).save(str(manifest))
        why = reason(failed.value.filename, failed.value)
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)
    assert failed.value.filename == str(manifest)
    assert why == f"Operation not permitted; {path} is immutable or append-only: chattr -ia {path}"
    assert os.listdir(manifest.parent) == ["manifest.json"]
