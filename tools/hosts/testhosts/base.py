# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The base image: the root file system that all hosts share and none can write to."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from . import suite as suites
from .shell import HostsError, run, say

# Packages of an EC2 image of Ubuntu that the collection uses.
_EC2_PACKAGES = ["acl", "at", "ca-certificates", "cron", "curl", "dbus", "iproute2", "libpam-systemd"]
_EC2_PACKAGES += [
    "openssh-client",
    "openssh-server",
    "passwd",
    "procps",
    "python3",
    "python3-apt",
    "systemd",
    "systemd-sysv",
    "util-linux",
]
# An EC2 image has no linker. Here it saves minutes of installation on each new host.
_PACKAGES = [*_EC2_PACKAGES, "build-essential"]
_SUDO = ["sudo"]
_RUST_TOOLS = ["rust-coreutils", "sudo-rs"]

_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/man/*", "/usr/share/locale/*")

# VARIANT marks a stand-in. It must not contain the word Debian, which Ansible searches for in this file.
_UBUNTU_OS_RELEASE = """\
PRETTY_NAME="Ubuntu {ubuntu.version} LTS"
NAME="Ubuntu"
VERSION_ID="{ubuntu.version}"
VERSION="{ubuntu.version} LTS ({ubuntu.name})"
VERSION_CODENAME={ubuntu.codename}
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME={ubuntu.codename}
VARIANT="stand-in ({suite})"
"""

_SSHD = """\
PasswordAuthentication no
PermitRootLogin no
HostKey /etc/ssh/ssh_host_ed25519_key
"""


def cache() -> Path:
    """Return the folder that keeps base images, and the disks of hosts while they run."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = home / "nova-agent-host"
    if any(sign in str(path) for sign in ":,"):
        raise HostsError(f"{path} has ':' or ',', which overlays do not support: set XDG_CACHE_HOME")
    return path


def ensure(suite: str) -> Path:
    """Return the base image of a suite, built now if it is not in the cache."""
    cache().mkdir(mode=0o755, parents=True, exist_ok=True)
    base = cache() / f"base-{suite}-{_recipe_hash(suite)}"
    if base.is_dir():
        return base
    descriptor = os.open(cache(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not base.is_dir():  # otherwise another run has built it
            _remove_partial()
            _build(suite, base)
    finally:
        os.close(descriptor)
    return base


def remove_unused(used: set[str]) -> None:
    """Remove all base images that are not in ``used``."""
    for image in cache().glob("base-*"):
        if str(image) not in used and image.suffix != ".partial":  # it may be in progress
            shutil.rmtree(image)


def _recipe_hash(suite: str) -> str:
    recipe = Path(__file__).read_bytes() + f"{suite} {os.environ.get('MIRROR', '')}".encode()
    return hashlib.sha256(recipe).hexdigest()[:12]


def _remove_partial() -> None:
    for left in cache().glob("*.partial"):
        shutil.rmtree(left)


def _build(suite: str, base: Path) -> None:
    say(f"building the base image ({suites.title(suite)}), once; it takes about a minute")
    partial = base.with_suffix(".partial")
    lines = suites.sources(suite)
    proxy = suites.upstream_proxy()
    environment = {**os.environ, **({"http_proxy": proxy, "https_proxy": proxy} if proxy else {})}
    try:
        run(_mmdebstrap(suite, partial, lines), env=environment)
    except HostsError as error:
        shutil.rmtree(partial, ignore_errors=True)
        mirrors = ", ".join(suites.servers(lines)) or "the default mirror"
        raise HostsError(f"no base image of {suite} from {mirrors} (MIRROR=URL names another): {error}") from error
    _configure(partial, suite)
    partial.rename(base)


def _mmdebstrap(suite: str, target: Path, lines: list[str]) -> list[str]:
    # If this process is killed, unshare is killed too, and with it all processes of its namespace.
    guarded = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--fork",
        "--kill-child",
        "--pid",
        "--mount",
        "--mount-proc",
    ]
    packages = [*_PACKAGES, *(_RUST_TOOLS if suites.has_rust_tools(suite) else _SUDO)]
    options = ["--quiet", "--variant=apt", "--format=directory", f"--include={','.join(packages)}"]
    options += ["--dpkgopt=force-unsafe-io", '--aptopt=Acquire::Languages "none"']
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    return [*guarded, "mmdebstrap", *options, suite, str(target), *lines]


def _configure(root: Path, suite: str) -> None:
    if suites.has_rust_tools(suite):
        _use_rust_tools(root)
    run(["chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", "--groups", "sudo", "ubuntu"])
    run(["chroot", str(root), "install", "-d", "-m", "0700", "-o", "ubuntu", "-g", "ubuntu", "/home/ubuntu/.ssh"])
    _write(root / "etc/sudoers.d/90-cloud-init-users", "ubuntu ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    _write(root / "etc/ssh/sshd_config.d/50-test-hosts.conf", _SSHD)
    run(["systemctl", "--root", str(root), "enable", "systemd-networkd.service"])
    run(["systemctl", "--root", str(root), "mask", "apt-daily.timer", "apt-daily-upgrade.timer"])
    # No identity: each host gets its own when it starts.
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    _write(root / "etc/machine-id", "")
    _write(root / "etc/resolv.conf", "")
    if suites.is_stand_in(suite):
        (root / "etc/os-release").unlink()  # a link into /usr/lib
        _write(root / "etc/os-release", _UBUNTU_OS_RELEASE.format(suite=suite, ubuntu=suites.stands_for(suite)))
        _write(root / "etc/motd", f"This host is a {suites.title(suite)}.\n")


def _use_rust_tools(root: Path) -> None:
    """Put sudo-rs and uutils at the paths of sudo and coreutils, as Ubuntu does. dpkg diverts the other files."""
    script = """
set -eu
for tool in /usr/lib/cargo/bin/coreutils/*; do
  for own in "/usr/bin/${tool##*/}" "/usr/sbin/${tool##*/}"; do
    if [ -e "$own" ]; then
      dpkg-divert --quiet --local --no-rename --divert "$own.gnu" --add "$own"
      ln -s "$tool" "$own.new"
      cp -a "$own" "$own.gnu"
      mv "$own.new" "$own"
    fi
  done
done
for tool in sudo su visudo; do
  rs=$(command -v "$tool-rs" || echo "/usr/lib/cargo/bin/$tool")
  [ -e "$rs" ] && [ ! -e "/usr/bin/$tool" ] && ln -s "$rs" "/usr/bin/$tool"
done
getent group sudo >/dev/null || groupadd --system sudo
cat >/etc/sudoers <<END
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
%sudo ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
END
chmod 0440 /etc/sudoers
# On Ubuntu, the package sudo has these files. It is not installed here.
for service in sudo sudo-i; do
  cat >/etc/pam.d/$service <<END
session required pam_limits.so
@include common-auth
@include common-account
@include common-session-noninteractive
END
done
"""
    run(["chroot", str(root), "sh", "-c", script])


def _write(path: Path, content: str, mode: int = 0o644) -> None:
    path.unlink(missing_ok=True)
    path.write_text(content)
    path.chmod(mode)
