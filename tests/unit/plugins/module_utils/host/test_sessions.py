# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Open sessions, read from a FIXTURE of /proc that belongs to the account of this process."""

from __future__ import annotations

import os
import pwd

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.sessions import observe_sessions
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Session

GIB = 1 << 30
ME = pwd.getpwuid(os.geteuid()).pw_name
SESSION = "0::/user.slice/user-1001.slice/session-3.scope\n"


def process(root, pid, address_space, cgroup=SESSION, files="4096"):
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    limits = "Limit                     Soft Limit           Hard Limit           Units     \n"
    if address_space:
        limits += f"Max address space         1024                 {address_space:<21}bytes     \n"
        limits += f"Max open files            1024                 {files:<21}files     \n"
    (folder / "limits").write_text(limits)
    (folder / "cgroup").write_text(cgroup)


def test_limits_of_a_login_are_the_highest_of_its_processes(tmp_path):
    process(tmp_path, 10, 64 * GIB)
    process(tmp_path, 11, 4 * GIB, files="100")
    process(tmp_path, 12, "unlimited", cgroup="1:name=systemd:/system.slice/cron.service\n0::/\n")
    process(tmp_path, 13, None)  # a zombie
    (tmp_path / "proc/self").symlink_to("10")
    assert observe_sessions([ME, "nobody-of-that-name"], str(tmp_path)) == [
        Session(ME, "cron.service", {"as": None, "nofile": 4096}),
        Session(ME, "session-3.scope", {"as": 64 * GIB, "nofile": 4096}),
    ]


def test_user_units_count_as_one_with_their_user_manager(tmp_path):
    cgroup = "0::/user.slice/user-1001.slice/user@1001.service/app.slice/{}\n"
    process(tmp_path, 10, GIB, cgroup=cgroup.format("a.service"))
    process(tmp_path, 11, GIB, cgroup=cgroup.format("b.scope"))
    process(tmp_path, 12, GIB, cgroup="0::/\n")
    assert [session.unit for session in observe_sessions([ME], str(tmp_path))] == ["no unit", "user@1001.service"]


@pytest.mark.parametrize("name", ["a\x1cb", "a\rb", "a\u2028b", "a:b", "a\\x0ab"])
def test_special_names_of_control_groups_do_not_end_the_look(tmp_path, name):
    process(tmp_path, 10, GIB, cgroup=f"0::/user.slice/user-1001.slice/user@1001.service/{name}\n")
    assert [session.unit for session in observe_sessions([ME], str(tmp_path))] == ["user@1001.service"]


def test_without_agents_nothing_is_read(tmp_path):
    (tmp_path / "proc").mkdir()
    assert observe_sessions([], str(tmp_path)) == []
