# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""One host: its disk (an overlay on the base), its identity, and the systemd-nspawn that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import cgroup
from .network import Subnet
from .shell import HostsError, run

_BOOT_SECONDS = 300.0
_KEEPER = Path(__file__).with_name("keeper.sh")
# Do not store the key: a new host at the same address has another one.
SSH_OPTIONS = [
    "-oStrictHostKeyChecking=no",
    "-oUserKnownHostsFile=/dev/null",
    "-oIdentitiesOnly=yes",
    "-oLogLevel=ERROR",
    # If the host does not answer, the command ends.
    f"-oConnectTimeout={os.environ.get('TEST_HOSTS_PATIENCE', '15')}",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
]


@dataclass(frozen=True)
class Host:
    """A host of a run: everything that is known before its start."""

    run: str
    subnet: Subnet
    index: int
    name: str
    base: Path
    disk: Path
    directory: Path  # of the run

    @property
    def address(self) -> str:
        return self.subnet.host(self.index)

    @property
    def machine(self) -> str:
        return f"{self.subnet.bridge}-{self.index}"

    @property
    def link(self) -> str:
        """The name of this machine's end of the host's network link, as systemd-nspawn creates it."""
        return f"vb-{self.machine}"

    @property
    def log(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def identity(self) -> Path:
        return self.directory / "id_ed25519"

    def ssh(self, *command: str) -> list[str]:
        """Return the command line that logs in, or runs a command on the host."""
        return ["ssh", "-i", str(self.identity), *SSH_OPTIONS, f"ubuntu@{self.address}", *command]

    def prepare(self, sources: list[str], proxy: str) -> None:
        """Create the disk, and write the files that are specific to this host."""
        for part in ("upper", "work", "root"):
            (self.disk / part).mkdir(mode=0o755, parents=True)
        self._put("etc/hostname", f"{self.name}\n")
        self._put("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n::1 localhost ip6-localhost\n")
        self._put(
            "etc/systemd/network/10-test-hosts.network",
            f"[Match]\nName=host0\n\n[Network]\nAddress={self.address}/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        )
        self._put(
            "etc/apt/apt.conf.d/99test-hosts", f'Acquire::http::Proxy "{proxy}";\nAcquire::https::Proxy "{proxy}";\n'
        )
        if sources:
            self._put("etc/apt/sources.list", "\n".join(sources) + "\n")
        self._put("home/ubuntu/.ssh/authorized_keys", self.identity.with_suffix(".pub").read_text(), 0o600)
        key = self.directory / f"{self.name}.host_key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(key)])
        self._put("etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600)

    def _put(self, name: str, content: str, mode: int = 0o644) -> None:
        upper = self.disk / "upper"
        path = upper / name
        # A folder of the overlay hides mode and owner of the base's folder, so both must be equal.
        for parent in reversed(path.relative_to(upper).parents[:-1]):
            if not (upper / parent).exists():
                like = (self.base / parent).stat()
                (upper / parent).mkdir()
                (upper / parent).chmod(like.st_mode & 0o7777)
                os.chown(upper / parent, like.st_uid, like.st_gid)
        path.write_text(content)
        path.chmod(mode)
        os.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the host, and return its keeper process at once. It ends with the run."""
        keeper = cgroup.create(self.run, f"{self.name}.keeper")
        container = cgroup.create(self.run, self.name)
        command = ["unshare", "--mount", "--propagation", "slave", "bash", str(_KEEPER)]
        command += [self.machine, self.name, self.subnet.bridge, str(self.base), str(self.disk)]
        command += [str(len(keeper)), *map(str, keeper), *map(str, container)]
        with self.log.open("w") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    def await_login(self, keeper: subprocess.Popen[bytes]) -> None:
        """Wait until user ubuntu can log in."""
        deadline = time.monotonic() + _BOOT_SECONDS
        login = self.ssh("true")
        login[1:1] = ["-oBatchMode=yes", "-oConnectTimeout=2"]
        attempt = ["setpriv", "--pdeathsig", "KILL", *login]  # otherwise it could continue after this process has ended
        while subprocess.run(attempt, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode != 0:
            if time.monotonic() > deadline or keeper.poll() is not None:
                lines = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
                raise HostsError(f"host {self.name} did not come up; the end of its log:\n{lines}")
            time.sleep(0.05)


def create_identity(directory: Path, uid: int, gid: int) -> None:
    """Create the key pair of a run, readable for the user that started it with sudo."""
    key = directory / "id_ed25519"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test hosts", "-f", str(key)])
    for path in (key, key.with_suffix(".pub")):
        shutil.chown(path, uid, gid)
