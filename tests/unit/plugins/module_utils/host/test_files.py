# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Reading files of a host: only a missing file is empty."""

from __future__ import annotations

import builtins
import errno
import glob
import os
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host import files
from ansible_collections.nova.agent_host.plugins.module_utils.host.capacity import observe_capacity
from ansible_collections.nova.agent_host.plugins.module_utils.host.cgroups import observe_ceiling
from ansible_collections.nova.agent_host.plugins.module_utils.host.files import HostError, find, list_folder, read_text
from ansible_collections.nova.agent_host.plugins.module_utils.host.kernel import observe_kernel
from ansible_collections.nova.agent_host.plugins.module_utils.host.logins import observe_login_paths
from ansible_collections.nova.agent_host.plugins.module_utils.host.pressure import observe_pressure
from ansible_collections.nova.agent_host.plugins.module_utils.host.slices import observe_oomd, observe_overrides
from ansible_collections.nova.agent_host.plugins.module_utils.host.sshd import observe_sshd

OPEN, LISTDIR, STAT = builtins.open, os.listdir, os.stat


def make_fail(monkeypatch, path, number):
    """Make each use of ``path``, and of all paths below it, fail like a damaged disk or a dead mount."""

    def checked(real):
        def call(name, *args, **options):
            if str(name) == str(path) or str(name).startswith(f"{path}/"):
                raise OSError(number, os.strerror(number), str(name))
            return real(name, *args, **options)

        return call

    for module, name, real in ((builtins, "open", OPEN), (os, "listdir", LISTDIR), (os, "stat", STAT)):
        monkeypatch.setattr(module, name, checked(real))


def test_kernel_settings_are_read():
    """The kernel refuses to read many MiB of /proc/sys at a time."""
    assert int(read_text("/proc/sys/kernel/pid_max")) > 0
    assert {"fs.file-max", "kernel.pid_max", "kernel.threads-max"} <= set(observe_kernel())


def test_file_without_an_end_is_an_error():
    with pytest.raises(HostError, match="/dev/zero has more than 64 MiB"):
        read_text("/dev/zero")


def test_missing_file_and_invalid_bytes_become_text(tmp_path):
    (tmp_path / "file").write_bytes(b"\xff one")
    root = str(tmp_path)
    assert [read_text(path, root) for path in ("/file", "/missing", "/file/below")] == ["\ufffd one", "", ""]


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOTCONN, errno.ESTALE, errno.ELOOP])
def test_any_other_error_names_the_file_and_the_reason(tmp_path, monkeypatch, number):
    make_fail(monkeypatch, tmp_path / "etc", number)
    for look in (read_text, list_folder, files.exists):
        with pytest.raises(HostError, match=f"{tmp_path}/etc can't be read: {os.strerror(number)}; r"):
            look("/etc", str(tmp_path))


def test_pattern_matches_the_same_paths_as_glob(tmp_path):
    for name in ("a/x.conf", "a/.hidden.conf", "a/x.txt", "b/y.conf", "b/z.conf/inner"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    os.symlink("nowhere", tmp_path / "a/broken.conf")
    for pattern in ("/*/*.conf", "/a/x.conf", "/?/[xy].*", "/none/*.conf", "/a/x.conf/*", "/a/.*"):
        found = [path for path in glob.glob(f"{tmp_path}{pattern}") if os.path.exists(path)]
        assert find(pattern, str(tmp_path)) == sorted(path.removeprefix(str(tmp_path)) for path in found), pattern


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with one file of each kind that a look reads."""
    texts = {
        "etc/pam.d/sshd": "session required pam_limits.so\n",
        "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
        "etc/ssh/sshd_config.d/50.conf": "MaxSessions 20\n",
        "etc/sysctl.d/10.conf": "kernel.pid_max = 1\n",
        "etc/systemd/logind.conf": "SessionsMax=100\n",
        "etc/systemd/system/user.slice.d/99.conf": "[Slice]\nMemoryMax=1G\n",
        "proc/pressure/cpu": "some avg10=0.00 avg60=1.50 avg300=0.00 total=0\n",
        "proc/sys/kernel/pid_max": "32768\n",
        "sys/fs/cgroup/cgroup.controllers": "memory pids\n",
        "sys/fs/cgroup/pids.max": "max\n",
        "sys/fs/cgroup/system.slice/systemd-oomd.service/memory.max": "max\n",
        "sys/fs/cgroup/user.slice/memory.current": "10\n",
        "sys/fs/cgroup/user.slice/memory.stat": "slab_reclaimable 1\n",
        "usr/lib/systemd/libsystemd-shared-255.so": "",
        "var/lib/dpkg/status": "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.9p1\n\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


LOOKS = {
    "etc/pam.d": observe_login_paths,
    "etc/ssh/sshd_config": observe_login_paths,
    "etc/ssh/sshd_config.d": observe_sshd,
    "etc/ssh/sshd_config.d/50.conf": observe_sshd,
    "etc/sysctl.d": observe_kernel,
    "etc/sysctl.d/10.conf": observe_kernel,
    "etc/systemd/logind.conf": observe_capacity,
    "etc/systemd/system": observe_oomd,
    "etc/systemd/system/user.slice.d": observe_overrides,
    "proc/pressure/cpu": observe_pressure,
    "proc/sys/kernel/pid_max": observe_kernel,
    "sys/fs/cgroup/pids.max": observe_capacity,
    "sys/fs/cgroup/system.slice": lambda root: observe_ceiling([], "root", root),
    "sys/fs/cgroup/user.slice": lambda root: observe_ceiling([], "root", root),
    "usr/lib/systemd": lambda root: observe_ceiling([], "root", root),
    "var/lib/dpkg/status": observe_sshd,
}


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN])
@pytest.mark.parametrize("path", LOOKS)
def test_damaged_disk_or_dead_mount_is_an_error_and_not_an_empty_file(root, monkeypatch, path, number):
    LOOKS[path](str(root))
    make_fail(monkeypatch, root / path, number)
    with pytest.raises(HostError, match=f"{root}/{path}.* can't be read: {os.strerror(number)}"):
        LOOKS[path](str(root))


def test_folder_instead_of_a_file_is_an_error(root):
    (root / "var/lib/dpkg/status").unlink()
    (root / "var/lib/dpkg/status").mkdir()
    with pytest.raises(HostError, match="dpkg/status can't be read: Is a directory; repair it"):
        observe_sshd(str(root))


def test_too_large_list_of_packages_is_an_error(root):
    with (root / "var/lib/dpkg/status").open("ab") as file:
        file.truncate(files.LARGEST + 2)
    with pytest.raises(HostError, match="dpkg/status has more than 64 MiB"):
        observe_sshd(str(root))


def test_kernel_without_pressure_is_not_an_error(root, monkeypatch):
    make_fail(monkeypatch, root / "proc/pressure", errno.EOPNOTSUPP)
    assert observe_pressure(str(root)) == {}
