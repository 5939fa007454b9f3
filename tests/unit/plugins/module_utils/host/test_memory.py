# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Reading memory and CPUs of recorded and constructed hosts, and files with impossible values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.files import HostError
from ansible_collections.nova.agent_host.plugins.module_utils.host.memory import Host, read_host
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.recorded_hosts import HOSTS, lay_out, write

MIB = 1 << 20
GIB = 1 << 30


def host(total: int, cpus: int, hugepages: int = 0, swap: int = 0, limit: int | None = None, file: str = "") -> Host:
    return {
        "memory": {
            "total": total,
            "hugepages": hugepages,
            "swap": swap,
            "cgroup_limit": limit,
            "cgroup_limit_file": file or None,
        },
        "cpus": cpus,
    }


RECORDED = {
    "hybrid": host(24682416 << 10, 2),
    "nspawn": host(24682416 << 10, 2),
    "nested-v1": host(24682416 << 10, 2, limit=8 * GIB, file="{root}/sys/fs/cgroup/memory/outer/memory.limit_in_bytes"),
    "vm": host(995356 << 10, 2),
    "vm-hugepages": host(995356 << 10, 2, hugepages=64 * MIB),
    "container-v2": host(995356 << 10, 2, limit=600 * MIB, file="{root}/sys/fs/cgroup/memory.max"),
    "ec2-384": host(384 * 1048576 * 984 // 1000 << 10, 192),
    "ec2-768": host(768 * 1048576 * 984 // 1000 << 10, 192),
    "ec2-1536": host(1536 * 1048576 * 984 // 1000 << 10, 192),
    "laptop": host(2014252 << 10, 2, swap=1048572 << 10),
}


@pytest.mark.parametrize("name", RECORDED)
def test_memory_of_recorded_hosts(name: str, tmp_path: Path) -> None:
    root = lay_out(name, tmp_path)
    expected = RECORDED[name]
    if expected["memory"]["cgroup_limit_file"]:
        expected["memory"]["cgroup_limit_file"] = expected["memory"]["cgroup_limit_file"].format(root=root)
    assert read_host(root) == expected


def test_every_recorded_host_is_tested() -> None:
    assert {path.stem for path in HOSTS.glob("*.txt")} == {*RECORDED, "outside-v2"}


@pytest.mark.skipif(not Path("/proc/1/cgroup").exists(), reason="needs Linux's /proc")
def test_memory_of_this_machine() -> None:
    """On any machine: the kernel's own count of pages and CPUs."""
    found = read_host()
    assert found["memory"]["total"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 1 <= found["cpus"] <= (os.cpu_count() or 0)


def test_own_ceiling_does_not_reduce_the_next_budget(tmp_path: Path) -> None:
    """Apply three times: each sets the available memory as the limit of user.slice, which has the session of the next apply."""
    root = lay_out("ec2-1536", tmp_path)
    session = "/user.slice/user-1000.slice/session-4.scope"
    write(tmp_path, "/proc/self/cgroup", f"0::{session}\n")
    write(tmp_path, f"/sys/fs/cgroup{session}/memory.max", "max\n")
    results = []
    for _ in range(3):
        found = read_host(root)
        available = memory_budget(found["memory"]["total"], cgroup_limit=found["memory"]["cgroup_limit"])["available"]
        write(tmp_path, "/sys/fs/cgroup/user.slice/memory.max", f"{available}\n")
        results.append(available)
    assert len(set(results)) == 1


@pytest.mark.parametrize(
    ("limits", "binding"),
    [
        ({"": "max", "/a": "max", "/a/b": "max"}, None),
        ({"": "max", "/a": "2147483648", "/a/b": "max"}, "/a"),
        ({"/a": "2147483648", "/a/b": "1073741824"}, "/a/b"),
        ({"": "1073741824", "/a": "2147483648", "/a/b": "max"}, ""),
    ],
)
def test_lowest_limit_on_the_path_of_pid_1_is_used(limits: dict[str, str], binding: str | None, tmp_path: Path) -> None:
    root = lay_out("ec2-384", tmp_path)
    write(tmp_path, "/proc/1/cgroup", "0::/a/b\n")
    for folder, limit in limits.items():
        write(tmp_path, f"/sys/fs/cgroup{folder}/memory.max", f"{limit}\n")
    file = None if binding is None else f"{root}/sys/fs/cgroup{binding}/memory.max"
    assert read_host(root)["memory"]["cgroup_limit_file"] == file


def test_container_reads_only_its_part_of_the_tree(tmp_path: Path) -> None:
    """Version 1 without a cgroup namespace: the path is that of the host, and the mount starts at the container's folder."""
    root = lay_out("hybrid", tmp_path)
    write(tmp_path, "/proc/1/cgroup", "4:memory:/docker/c1\n0::/\n")
    write(
        tmp_path,
        "/proc/self/mountinfo",
        "35 31 0:32 /docker/c1 /sys/fs/cgroup/the\\040memory ro - cgroup cgroup rw,memory\n",
    )
    write(tmp_path, "/sys/fs/cgroup/the memory/memory.limit_in_bytes", f"{GIB}\n")
    assert read_host(root)["memory"]["cgroup_limit"] == GIB


def test_only_online_and_allowed_cpus_are_counted(tmp_path: Path) -> None:
    root = lay_out("ec2-384", tmp_path)
    write(tmp_path, "/sys/devices/system/cpu/online", "0-3,8-9\n")
    write(tmp_path, "/proc/1/status", "Name:\tsystemd\nCpus_allowed_list:\t2-8\n")
    assert read_host(root)["cpus"] == 3


# Path, content, and its part in the error.
BAD = [
    ("/proc/meminfo", "MemTotal: 0 kB\n", "MemTotal is '0 kB'"),
    ("/proc/meminfo", "MemTotal: lots\n", "MemTotal is 'lots'"),
    ("/proc/meminfo", "MemFree: 1 kB\n", "MemTotal is missing"),
    ("/proc/meminfo", "", "MemTotal is missing"),
    ("/proc/meminfo", "MemTotal: 8 kB\nSwapTotal: -1 kB\n", "SwapTotal is '-1 kB'"),
    ("/proc/meminfo", "MemTotal: 8 kB\nHugetlb: 9 kB\n", "Hugetlb is '9 kB'"),
    ("/proc/1/cgroup", "0:/init.scope\n", "'0:/init.scope'"),
    ("/proc/self/mountinfo", "31 22 0:26\n", "'31 22 0:26'"),
    ("/sys/fs/cgroup/init.scope/memory.max", "lots\n", "'lots'"),
    ("/sys/fs/cgroup/init.scope/memory.max", "", "''"),
    ("/sys/fs/cgroup/init.scope/memory.max", "0\n", "'0'"),
    ("/sys/fs/cgroup/init.scope/memory.max", "-1\n", "'-1'"),
    ("/sys/fs/cgroup/init.scope/memory.max", "405719790593\n", "'405719790593'"),
    ("/sys/devices/system/cpu/online", "all\n", "'all'"),
    ("/proc/1/status", "Name:\tsystemd\n", "Cpus_allowed_list"),
    ("/proc/1/status", "Cpus_allowed_list:\t200-210\n", "'200-210'"),
]


@pytest.mark.parametrize(("path", "content", "shown"), BAD)
def test_wrong_value_is_an_error_with_the_file_and_the_value(
    path: str, content: str, shown: str, tmp_path: Path
) -> None:
    root = lay_out("ec2-384", tmp_path)
    write(tmp_path, path, content)
    with pytest.raises(HostError) as error:
        read_host(root)
    assert str(error.value).startswith(f"{root}{path}") and shown in str(error.value)


@pytest.mark.parametrize(
    "path",
    ["/proc/meminfo", "/proc/1/cgroup", "/proc/1/status", "/proc/self/mountinfo", "/sys/devices/system/cpu/online"],
)
def test_missing_files_are_errors(path: str, tmp_path: Path) -> None:
    root = lay_out("ec2-384", tmp_path)
    (tmp_path / path.lstrip("/")).unlink()
    with pytest.raises(HostError) as error:
        read_host(root)
    assert str(error.value).startswith(f"{root}{path} can't be read: No such file or directory")


def test_limit_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A folder instead of the file, because permissions do not stop root, which often runs the tests."""
    root = lay_out("ec2-384", tmp_path)
    (tmp_path / "sys/fs/cgroup/init.scope/memory.max").unlink()
    (tmp_path / "sys/fs/cgroup/init.scope/memory.max").mkdir()
    with pytest.raises(HostError) as error:
        read_host(root)
    assert (
        str(error.value)
        == f"{root}/sys/fs/cgroup/init.scope/memory.max can't be read: Is a directory; repair it on the host"
    )


def test_tree_mounted_from_outside_the_container_is_an_error(tmp_path: Path) -> None:
    root = lay_out("outside-v2", tmp_path)
    with pytest.raises(HostError) as error:
        read_host(root)
    assert str(error.value) == (
        f"{root}/proc/self/mountinfo has '/../..' of the cgroup tree on /sys/fs/cgroup, but PID 1 is in '/':"
        " its limit can't be seen"
    )
