# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Requirements of this machine: root, a recent kernel, and some programs, which are installed if they are missing."""

from __future__ import annotations

import os
import shutil

from . import cgroup, registry, suite
from .shell import HostsError, run, say

_PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tinyproxy": "tinyproxy-bin",  # only the program: the package tinyproxy starts a service
}
_DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_UBUNTU_KEYS = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"


def require() -> None:
    """Install missing packages. Raises HostsError if something else is missing."""
    if os.geteuid() != 0:
        raise HostsError("needs root, or sudo without a password")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    _require_kernel()
    _require_ubuntu_keys()
    with registry.locked():  # a second run waits here
        _install(_missing())


def _require_kernel() -> None:
    try:
        run(["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "true"])
    except HostsError as error:
        raise HostsError(
            f"this machine does not let root create namespaces (a container, perhaps?): {error}"
        ) from error
    cgroup.unified()


def _missing() -> list[str]:
    packages = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if suite.is_stand_in(suite.chosen()) and not os.path.exists(_DEBIAN_KEYS):
        packages.add("debian-archive-keyring")
    return sorted(packages)


def _require_ubuntu_keys() -> None:
    # Not every Debian has such a package. MIRROR can have "[signed-by=FILE] URL".
    if suite.is_stand_in(suite.chosen()) or os.environ.get("MIRROR", "").startswith("["):
        return
    if not os.path.exists(_UBUNTU_KEYS):
        raise HostsError(
            f"suite {suite.chosen()} needs Ubuntu's archive keys in {_UBUNTU_KEYS} "
            "(package ubuntu-keyring or ubuntu-archive-keyring), or MIRROR='[signed-by=FILE] URL'"
        )


def _install(packages: list[str]) -> None:
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise HostsError(f"there is no apt-get, so these packages can't be installed: {' '.join(packages)}")
    say(f"installing with apt-get: {' '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    run(["apt-get", "update"], env=quiet)
    lock = "DPkg::Lock::Timeout=300"
    run(["apt-get", "install", "--yes", "--no-install-recommends", "-o", lock, *packages], env=quiet)
