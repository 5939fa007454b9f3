# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Reading a host's cgroup tree, from FIXTURE trees."""

from __future__ import annotations

import os
import pwd

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.cgroups import observe_ceiling
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Usage

ROOT = pwd.getpwuid(0).pw_name
STAT = "anon 500\nfile 400\nactive_file 100\ninactive_file 200\nslab_reclaimable 50\n"
UNIFIED = {
    "cgroup.controllers": "cpu memory pids\n",
    "user.slice/memory.current": "1000\n",
    "user.slice/memory.stat": STAT,
    "user.slice/memory.max": "max\n",
    "user.slice/memory.swap.max": "0\n",
    "system.slice/cron.service/cgroup.procs": "",
    "system.slice/cgroup.procs": "",
}


def lay_out(root, files):
    for path, text in files.items():
        file = root / "sys/fs/cgroup" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(root)


def test_reclaimable_memory_is_not_in_use(tmp_path):
    found = observe_ceiling([], ROOT, lay_out(tmp_path, UNIFIED))
    assert found.users == Usage(memory_max=None, swap_max=0, in_use=650)
    assert (found.hierarchy, found.controllers) == ("unified", ["cpu", "memory", "pids"])
    assert found.services == ["cron.service"]


@pytest.mark.parametrize(
    ("files", "hierarchy"), [({"unified/cgroup.controllers": ""}, "hybrid"), ({"memory/cgroup.procs": ""}, "legacy")]
)
def test_unsupported_control_group_trees_are_named(tmp_path, files, hierarchy):
    found = observe_ceiling([], ROOT, lay_out(tmp_path, files))
    assert (found.hierarchy, found.users, found.services) == (hierarchy, None, [])


def test_agents_and_unknown_accounts_are_not_administrators(tmp_path):
    assert observe_ceiling([], "nobody-of-that-name", str(tmp_path)).administrators[ROOT] == 0
    assert ROOT not in observe_ceiling([ROOT], ROOT, str(tmp_path)).administrators


@pytest.mark.parametrize(
    ("library", "version"),
    [
        ("usr/lib/systemd/libsystemd-shared-249.so", 249),
        ("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-255-4ubuntu8.so", 255),
        ("usr/lib/systemd/libsystemd-core-255.so", 0),
    ],
)
def test_version_of_systemd_is_read_from_the_name_of_its_library(tmp_path, library, version):
    os.makedirs(tmp_path / os.path.dirname(library))
    (tmp_path / library).touch()
    assert observe_ceiling([], ROOT, str(tmp_path)).systemd == version
