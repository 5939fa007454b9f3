# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Reading and writing the manifest. Errors have its path and a remedy."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.change import reason
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import (
    Manifest,
    ManifestError,
    Record,
    RoleRecord,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, PathState

ROLES = {"agent_limits": RoleRecord({"/opt/x": Record(PathState("file"), ABSENT)}, ["/opt/tree"], ["x.timer"])}


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "nova-agent/manifest.json"
    Manifest(ROLES).save(str(path))
    return path


def test_manifest_is_read_as_written(manifest):
    assert Manifest.load(str(manifest)) == Manifest(ROLES)
    assert Manifest.load(str(manifest.parent / "none/manifest.json")) == Manifest()


def test_manifest_of_an_earlier_version_is_read(tmp_path):
    """A manifest of 0.1.0, with a run and a seal, and without restarts."""
    data = Manifest(ROLES).to_dict() | {"run": "x", "seal": {"variables": "y"}}
    del data["roles"]["agent_limits"]["restarts"]
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    found = Manifest.load(str(tmp_path / "manifest.json"))
    assert found.roles["agent_limits"] == RoleRecord(ROLES["agent_limits"].paths, ["/opt/tree"], [])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"roles": []}',
        '{"roles": {"r": {}}}',
        '{"roles": {"r": {"paths": {"/x": {"kind": "file"}}, "trees": []}}}',
        '{"roles": {"r": {"paths": {"/x": {"kind": 5, "before": {"kind": "absent"}}}, "trees": []}}}',
        '{"roles": {"r": {"paths": {"/x": {"kind": "no", "before": {"kind": "absent"}}}, "trees": []}}}',
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_invalid_manifest_is_named_with_the_remedy(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError, match="restore it from a backup") as error:
        Manifest.load(str(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_something_else_at_the_path_is_named_with_the_remedy_and_read_without_waiting(tmp_path, make):
    make(tmp_path / "manifest.json")
    with pytest.raises(ManifestError, match="move it away") as error:
        Manifest.load(str(tmp_path / "manifest.json"))
    assert str(tmp_path / "manifest.json") in str(error.value)


def test_empty_manifest_is_removed_with_its_folder(manifest):
    Manifest({"agent_limits": RoleRecord()}).save(str(manifest))
    assert not manifest.parent.exists()


def test_mode_of_the_manifest_does_not_depend_on_the_umask(tmp_path):
    """agent-status reads it without root."""
    mask = os.umask(0o077)
    try:
        Manifest(ROLES).save(str(tmp_path / "new/manifest.json"))
    finally:
        os.umask(mask)
    modes = [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "new", tmp_path / "new/manifest.json")]
    assert modes == ["0o755", "0o644"]


def test_full_disk_keeps_the_old_manifest_and_leaves_no_other_file(manifest, monkeypatch):
    before = manifest.read_text()

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as failed:
        Manifest(ROLES).save(str(manifest))
    assert failed.value.filename == str(manifest)
    assert manifest.read_text() == before and os.listdir(manifest.parent) == ["manifest.json"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EBUSY, "Device or resource busy; if it is a mount point: umount /opt/a"),
        (errno.EISDIR, "Is a directory; move it away"),
        (errno.ELOOP, "Too many levels of symbolic links; move it away"),
    ],
)
def test_path_that_cannot_be_changed_is_named_with_the_remedy(number, remedy):
    assert reason("/opt/a", OSError(number, os.strerror(number))) == remedy


@pytest.mark.parametrize("immutable", ["file", "folder"])
def test_immutable_manifest_is_named_with_the_remedy(manifest, immutable):
    path = manifest if immutable == "file" else manifest.parent
    done = subprocess.run(["chattr", "+i", str(path)], check=False, text=True, stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip(f"no immutable files here: {done.stderr.strip()} (needs root)")
    try:
        with pytest.raises(PermissionError) as failed:
            Manifest(ROLES).save(str(manifest))
        why = reason(failed.value.filename, failed.value)
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)
    assert failed.value.filename == str(manifest)
    assert why == f"Operation not permitted; {path} is immutable or append-only: chattr -ia {path}"
    assert os.listdir(manifest.parent) == ["manifest.json"]
