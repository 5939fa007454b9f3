# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Opening folders without following links, and their file systems."""

from __future__ import annotations

import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.mounts import Mount
from ansible_collections.nova.agent_host.plugins.module_utils.host.space import space_at
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.folders import (
    MissingError,
    SkipError,
    mount_of,
    mounted_below,
    open_folder,
)


@pytest.fixture
def tree(tmp_path):
    for name in ("a/nova", "b/nova", ".hidden/nova", "c", "nova"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    return tmp_path.resolve()


def test_folder_is_opened_but_not_through_a_link(tree):
    descriptor = open_folder(str(tree / "a" / "nova"))
    assert os.path.samestat(os.fstat(descriptor), os.stat(tree / "a" / "nova"))
    os.close(descriptor)
    for path in (tree / "link", tree / "link" / "nova"):
        with pytest.raises(SkipError) as error:
            open_folder(str(path))
        assert str(error.value) == (
            f"{tree}/link is a symbolic link to a, and links are not followed: use the real path"
        )
    for path in (tree / "gone", tree / "file", tree / "file" / "x"):
        with pytest.raises(MissingError, match=" is no folder$"):
            open_folder(str(path))


def test_no_descriptor_is_left_open(tree):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SkipError):
        open_folder(str(tree / "link" / "nova"))
    assert os.listdir("/proc/self/fd") == before


def test_mounts_at_and_below_a_path_are_found():
    points = ["/home/a/target", "/home/a/target/with space\nline", "/home/a/target2", "/"]
    mounts = [Mount("98:0", "/", point, "tmpfs", []) for point in points]
    assert mounted_below("/home/a/target", mounts) == points[:2]


def test_file_system_of_a_folder_is_the_same_as_in_df():
    folder = open_folder("/dev/shm")
    found = os.statvfs("/dev/shm")
    assert (mount_of(folder), space_at(folder).inodes) == ("/dev/shm", found.f_files)
    os.close(folder)
