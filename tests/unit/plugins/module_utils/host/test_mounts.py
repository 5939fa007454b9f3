# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The mount table, in which accounts choose names."""

from __future__ import annotations

import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.memory import container_limit
from ansible_collections.nova.agent_host.plugins.module_utils.host.mounts import mounted_by_user, read_mounts


@pytest.fixture
def table(tmp_path):
    def write(*lines):
        path = tmp_path / "proc/self/mountinfo"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return str(path)

    return write


def test_names_are_decoded(table):
    path = table(rb"37 35 98:0 / /home/a/with\040space\012line rw - tmpfs none rw")
    assert [mount.point for mount in read_mounts(path)] == ["/home/a/with space\nline"]


def test_file_system_mounted_by_a_user_is_recognized(table):
    path = table(
        b"36 35 0:45 / /home/a/x rw,nosuid - fuse.sshfs sshfs rw,user_id=1000,group_id=1000,allow_other",
        b"37 35 0:46 / /mnt rw - fuse.s3 s3 rw,user_id=0,group_id=0,allow_other",
        b"38 35 8:1 / / rw - ext4 /dev/sda1 rw",
    )
    devices = [os.makedev(0, 45), os.makedev(0, 46), os.makedev(8, 1), os.makedev(8, 2)]
    assert [mounted_by_user(device, path) for device in devices] == [True, False, False, False]


# Characters that end a line or a word for Python, and that the kernel does not escape.
@pytest.mark.parametrize("name", [*"\r\v\f\x1c\x1d\x1e\x85\u2028\u3000", "\r\r\r", "\udcff\r - \r"], ids=ascii)
def test_special_names_of_mount_points_do_not_end_the_look_or_hide_a_mount(table, tmp_path, name):
    special = os.fsencode(name) + b" rw,nosuid shared:1 - fuse.x s rw,user_id=1000,group_id=1000"
    if " " in name:
        special = special.replace(b" - \r", rb"\040-\040" + b"\r")
    path = table(
        b"36 35 0:45 / /home/a/x" + special,
        b"31 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    )
    assert [mount.point for mount in read_mounts(path)] == [f"/home/a/x{name}", "/sys/fs/cgroup"]
    assert mounted_by_user(os.makedev(0, 45), path)
    assert [mount.filesystem for mount in read_mounts(path)] == ["fuse.x", "cgroup2"]
    (tmp_path / "proc/1").mkdir()
    (tmp_path / "proc/1/cgroup").write_text("0::/\n")
    assert container_limit(str(tmp_path), 1 << 30) is None
