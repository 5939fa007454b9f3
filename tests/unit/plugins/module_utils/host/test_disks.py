# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The file systems whose free space a look reads."""

from __future__ import annotations

import os

from ansible_collections.nova.agent_host.plugins.module_utils.host.disks import observe_disks

LINE = "{number} 1 {device} / {point} rw - {kind} source {options}\n"


def test_each_local_file_system_is_read_once_and_no_other(tmp_path):
    here = os.path.realpath(tmp_path)
    seen_twice, remote, gone, covered = (f"{here}/{name}" for name in ("seen-twice", "remote", "gone", "covered"))
    for folder in (seen_twice, remote, covered):
        os.mkdir(folder)
    mounts = [
        ("0:30", "/", "overlay"),
        ("0:40", remote, "fuse.sshfs"),
        ("0:41", remote, "nfs4"),
        ("8:1", here, "ext4"),
        ("8:1", seen_twice, "ext4"),
        ("8:2", gone, "xfs"),
        ("8:3", "/boot", "ext4"),
        ("8:4", covered, "ext4"),
        ("0:42", covered, "fuse"),  # an account mounted this over its own folder
    ]
    table = tmp_path / "mountinfo"
    table.write_text(
        "".join(
            LINE.format(
                number=9, device=device, point=point, kind=kind, options="rw,user_id=1000" if kind == "fuse" else "rw"
            )
            for device, point, kind in mounts
        )
    )
    found = observe_disks(str(table))
    assert list(found) == ["/", here]
    assert 0 < found[here].free <= found[here].size
    assert 0 < found[here].free_share <= 10_000
