# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Owner and mode of the manifest's own files are corrected."""

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import StateError, differences
from ansible_collections.nova.agent_host.plugins.module_utils.state.record import observe_record, wanted_record
from ansible_collections.nova.agent_host.plugins.module_utils.state.repair import repair_record

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
AGENT = 54321


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "state" / "manifest.json"
    Manifest({"agent_limits": RoleRecord(trees=["/t"])}).save(str(path))
    (path.parent / "originals").mkdir(mode=0o700)
    return path


def wrong(manifest):
    """The differences, by path."""
    wanted = wanted_record(str(manifest))
    found = {path: differences(wanted[path], state) for path, state in observe_record(str(manifest)).items()}
    return {path: names for path, names in found.items() if names}


def test_missing_file_is_not_a_problem(tmp_path):
    assert observe_record(str(tmp_path / "none" / "manifest.json")) == {}


def test_unchanged_file_is_compliant(manifest):
    assert len(observe_record(str(manifest))) == 3
    assert wrong(manifest) == {} and repair_record(str(manifest)) == []


@pytest.mark.parametrize("name", ["", "manifest.json", "originals"])
@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda path: path.chmod(0o777), ["mode"]),
        (lambda path: os.chown(path, AGENT, -1), ["owner"]),
        (lambda path: os.chown(path, AGENT, AGENT), ["owner", "group"]),
    ],
    ids=["mode", "owner", "owner and group"],
)
def test_owner_and_mode_are_corrected(manifest, name, change, names):
    path = manifest.parent / name if name else manifest.parent
    before = path.stat()
    change(path)
    assert wrong(manifest) == {str(path): names}
    assert repair_record(str(manifest)) == [str(path)]
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode) == (0, 0, before.st_mode)


def test_other_kinds_of_files_are_not_replaced(manifest, tmp_path):
    manifest.rename(tmp_path / "moved")
    manifest.symlink_to(tmp_path / "moved")
    with pytest.raises(StateError) as refused:
        repair_record(str(manifest))
    assert str(manifest) in str(refused.value) and "is a link" in str(refused.value)
    assert stat.S_ISLNK(os.lstat(manifest).st_mode)
