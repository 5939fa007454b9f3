# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The virtual machine, and plays and commands on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
VM = str(HERE / "vm.sh")


class Machine:
    def __init__(self, name: str, suite: str | None = None, **settings: str) -> None:
        """Boot a machine with a release of Debian (None: the variable SUITE, or the default of vm.sh). ``settings``: variables of vm.sh."""
        self.name = name
        settings |= {"SUITE": suite} if suite else {}
        environment = {**os.environ, "TEST_HOSTS_OWNER": str(os.getpid()), **settings}
        started = subprocess.run([VM, "up", name], check=False, text=True, capture_output=True, env=environment)
        if started.returncode:
            raise RuntimeError(started.stderr)
        self.inventory = Path(started.stdout.strip())
        self._kept = [*self._ssh(), "-o", f"ControlPath={self.inventory.parent}/kept"]
        self._master = subprocess.Popen([*self._kept, "-M", "-N"], stdin=subprocess.DEVNULL)

    def down(self) -> None:
        subprocess.run([VM, "down", self.name], check=True)

    def _ssh(self, user: str = "ubuntu") -> list[str]:
        folder = self.inventory.parent
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
        flags = [word for option in options for word in ("-o", option)]
        port = (folder / "port").read_text().strip()
        return ["ssh", "-i", str(folder / "key"), *flags, "-p", port, f"{user}@127.0.0.1"]

    def run(self, script: str, timeout: float = 900) -> str:
        """Run a script as root, over the open connection."""
        command = [*self._kept, "sudo bash -euo pipefail -s"]
        done = subprocess.run(
            command,
            input=script,
            check=False,
            text=True,
            timeout=timeout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    def start(self, user: str, command: str) -> subprocess.Popen[bytes]:
        """Run a command in an ssh login that stays open."""
        return subprocess.Popen([*self._ssh(user), command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answer(self, kept: bool, timeout: float) -> float | None:
        """Seconds until a command over ssh answered, on the open connection or on a new one. None: no answer."""
        start = time.monotonic()
        try:
            done = subprocess.run(
                [*(self._kept if kept else self._ssh()), "true"], check=False, timeout=timeout, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - start if done.returncode == 0 else None

    def play(
        self, playbook: str | list[dict], *arguments: str, **variables: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the collection by name, or plays given as data."""
        process = self.start_play(playbook, *arguments, **variables)
        output, _ = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def start_play(self, playbook: str | list[dict], *arguments: str, **variables: object) -> subprocess.Popen[str]:
        if not isinstance(playbook, str):
            path = self.inventory.parent / "play.json"
            path.write_text(json.dumps(playbook))
            playbook = str(path)
        command = ["ansible-playbook", "-i", str(self.inventory), playbook, *arguments, "-e", json.dumps(variables)]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(Path(sys.prefix) / "collections"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_TIMEOUT": "60",
        }
        return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)

    def changed(self, played: subprocess.CompletedProcess[str]) -> int:
        assert played.returncode == 0, played.stdout
        return int(re.findall(r" changed=(\d+) ", played.stdout)[-1])
