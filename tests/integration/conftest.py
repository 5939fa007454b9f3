# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Plays on test hosts: starts hosts and a FIXTURE mirror of toolchains, runs plays, and reads their results."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
HOSTS = CHECKOUT / "tools/hosts/hosts.sh"
COLLECTIONS = Path(sys.prefix) / "collections"

# ssh makes the stdin that it inherits non-blocking, and Ansible refuses to start on such a stdin.
PIPES: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


@dataclass
class Played:
    """One run of ansible-playbook: its exit status, its output, and each result of each host."""

    status: int
    text: str
    results: list[dict[str, Any]]

    def succeeded(self) -> Played:
        assert self.status == 0, self.text
        return self

    def failed(self) -> Played:
        assert self.status != 0, self.text
        return self

    def of(self, action: str, host: str = "") -> list[dict[str, Any]]:
        """The results of one module or action, such as policy_apply."""
        return [one["result"] for one in self.results if one["action"] == action and (not host or one["host"] == host)]

    @property
    def changed(self) -> dict[str, list[str]]:
        """By host: the modules and actions that changed something, or would change it in check mode."""
        found: dict[str, list[str]] = {}
        for one in self.results:
            if one["result"].get("changed"):
                found.setdefault(one["host"], []).append(one["action"])
        return found

    @property
    def failed_hosts(self) -> set[str]:
        return {one["host"] for one in self.results if one["status"] == "failed"}

    def paths(self, host: str = "host1") -> set[str]:
        """The changed paths of a host: the first ten of each task, and the number of the others."""
        return {path for applied in self.of("policy_apply", host) for path in applied.get("changed_paths", [])}

    def shown(self, host: str = "host1") -> set[str]:
        """The paths that diff mode shows, separately or in a list of new or removed ones."""
        pieces = [piece for applied in self.of("policy_apply", host) for piece in applied.get("diff", [])]
        listed = [
            line.split()[0]
            for piece in pieces
            if not (piece["before"] and piece["after"])
            for line in (piece["before"] + piece["after"]).splitlines()
            if line
        ]
        return {path for path in [*listed, *(piece["after_header"] for piece in pieces)] if path.startswith("/")}

    @property
    def messages(self) -> str:
        """The messages and warnings of all results, one line each."""
        lines = []
        for one in self.results:
            message = one["result"].get("msg", "")
            lines += message if isinstance(message, list) else [str(message)]
            lines += [str(warning) for warning in one["result"].get("warnings", [])]
        return "\n".join(lines)


class Lab:
    """One run of test hosts."""

    def __init__(self, name: str, names: list[str], folder: Path, mirrors: Path | None = None) -> None:
        self.name = name
        self.folder = folder
        self.mirrors = mirrors or folder / "mirror"
        self.served = folder / "served"
        self.served.mkdir()
        up = [str(HOSTS), "up", name, *names, "--owner", str(os.getpid())]
        self.inventory = subprocess.run(up, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
        described = subprocess.run([str(HOSTS), "describe", name], check=True, text=True, stdout=subprocess.PIPE)
        self.controller = json.loads(described.stdout)["controller"]
        self.addresses = {host["instance"]: host["address"] for host in json.loads(described.stdout)["hosts"]}
        self.links = {host["instance"]: host["link"] for host in json.loads(described.stdout)["hosts"]}
        self.variables: dict[str, Any] = {}
        self.collections = COLLECTIONS  # where this collection is found

    def down(self) -> None:
        subprocess.run([str(HOSTS), "down", self.name], check=True)

    @functools.cached_property
    def url(self) -> str:
        """The URL of the folder ``served`` for hosts."""
        serve = [str(HOSTS), "serve", self.name, str(self.served)]
        return subprocess.run(serve, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()

    def serve_toolchain(self, kind: str) -> dict[str, Any]:
        """The variables of a mirror that the hosts can reach during the run.

        ``fixture``: programs that only print that they ran. ``toolchain``: this machine's Rust, if it has one.
        """
        make = [sys.executable, str(CHECKOUT / "tools/rust_mirror/demo_mirror.py"), "--only", kind]
        if kind == "fixture":
            make += ["--cache", str(self.mirrors)]
        mirror = json.loads(subprocess.run(make, check=True, text=True, stdout=subprocess.PIPE).stdout)
        with contextlib.suppress(FileExistsError):  # two test modules can serve the same one
            (self.served / kind).symlink_to(mirror["path"])
        url = f"{self.url}/{kind}"
        return {
            "agent_toolchain_dist_server": url,
            "agent_toolchain_update_root": f"{url}/rustup",
            "agent_toolchain_channel_checksums": mirror["channel_checksums"],
            "agent_toolchain_rustup_version": mirror["rustup_version"],
            "agent_toolchain_rustup_checksums": mirror["rustup_checksums"],
            "agent_policy_rust_channel": mirror["channel"],
        }

    def command(
        self, playbook: str | list[dict], *arguments: str, **variables: Any
    ) -> tuple[list[str], dict[str, str]]:
        """The command that runs a playbook of the collection, by name, or plays given as data; and its environment."""
        if not isinstance(playbook, str):
            path = self.folder / "play.yml"
            path.write_text(yaml.safe_dump(playbook, sort_keys=False))
            playbook = str(path)
        command = ["ansible-playbook", "-i", self.inventory, playbook, *arguments]
        command += ["-e", json.dumps({**self.variables, **variables})]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "RECORDED_RESULTS": str(self.recorded),
        }
        self.recorded.write_text("")
        return command, environment

    @property
    def recorded(self) -> Path:
        return self.folder / "results.jsonl"

    def play(self, playbook: str | list[dict], *arguments: str, **variables: Any) -> Played:
        command, environment = self.command(playbook, *arguments, **variables)
        done = subprocess.run(command, check=False, env=environment, text=True, **PIPES)
        assert "[DEPRECATION WARNING]" not in done.stdout, done.stdout
        results = [json.loads(line) for line in self.recorded.read_text().splitlines()]
        return Played(done.returncode, done.stdout, results)

    def site(self, *arguments: str, **variables: Any) -> Played:
        return self.play("nova.agent_host.site", *arguments, **variables)

    def roles(self, *roles: str, arguments: Sequence[str] = (), **variables: Any) -> Played:
        """A user's play with these roles."""
        play = {"hosts": "agent_hosts", "become": True, "gather_facts": False}
        return self.play([{**play, "roles": [f"nova.agent_host.{role}" for role in roles]}], *arguments, **variables)

    def retire(self, *arguments: str) -> Played:
        return self.play("nova.agent_host.retire", *arguments, agent_retire_all_hosts=True)

    def kill_after(self, results: int, playbook: str, **variables: Any) -> bool:
        """Kill a play with all its processes after this number of results. Return whether it was still running."""
        command, environment = self.command(playbook, **variables)
        silent = dict.fromkeys(PIPES, subprocess.DEVNULL)
        play = subprocess.Popen(command, env=environment, start_new_session=True, **silent)
        while play.poll() is None and len(self.recorded.read_text().splitlines()) < results:
            time.sleep(0.02)
        was_running = play.poll() is None
        if was_running:
            os.killpg(play.pid, signal.SIGKILL)
        play.wait()
        return was_running

    def units(self, host: str) -> list[str]:
        """The units of the collection, and all failed units."""
        listed = self.run(
            host,
            "systemctl list-units --all --plain --no-legend 'nova-agent*'; systemctl list-units --failed --plain --no-legend",
        )
        return listed.splitlines()

    def manifest(self, host: str) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(self.run(host, "cat /var/lib/nova-agent/manifest.json"))
        return manifest

    def ssh(self, host: str, command: str) -> list[str]:
        """The command that runs a shell command as root, over the same ssh that Ansible uses."""
        return [str(HOSTS), "ssh", self.name, host, "--", f"sudo bash -c {shlex.quote(command)}"]

    def run(self, host: str, command: str, check: bool = True) -> str:
        done = subprocess.run(self.ssh(host, command), check=False, text=True, **PIPES)
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout

    def trips(self, host: str) -> int:
        """The number of module calls on the host so far: each is one sudo in its journal."""
        return int(
            self.run(host, "journalctl --sync; journalctl -q -o cat -t sudo | grep -c [B]ECOME-SUCCESS- || true")
        )

    def accounts(self, host: str) -> list[str]:
        """The accounts of people and agents."""
        return self.run(host, "getent passwd | awk -F: '$3 >= 1000 && $3 < 60000 {print $1}'").split()

    def remove_accounts(self, host: str, *names: str) -> None:
        """Remove accounts with their homes and processes. Processes can end during this."""
        for name in names:
            self.run(host, f"loginctl terminate-user {name} || true; userdel --force --remove {name} 2>&1")

    def snapshot(self, host: str) -> str:
        """Type, mode, owner and content of all files that an apply can change."""
        left_out = " -o ".join(f"-path {path}" for path in LEFT_OUT)
        return self.run(
            host,
            rf"find / -xdev \( {left_out} \) -prune -o \( ! -type f -o ! -name '*-' \) -printf '%p %y %m %u %g %l\n' | sort;"
            r" find /etc /opt /usr/local /var/lib /home -xdev -type f ! -name '*-' ! -path '*/.ansible/*' ! -path '/var/lib/systemd/*' -print0"
            " | sort -z | xargs -0 sha256sum",
        )


# Paths that change without an apply, for example by a login.
LEFT_OUT = [
    "/proc",
    "/sys",
    "/dev",
    "/tmp",
    "/var/tmp",
    "/var/log",
    "/var/cache",
    "/root",
    "/home/ubuntu",
    "/var/lib/systemd",
]


@pytest.fixture(scope="session")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the FIXTURE mirror, which is created once."""
    return tmp_path_factory.mktemp("mirrors")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, mirrors: Path) -> Iterator[Lab]:
    """A new host for each module."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    lab = Lab(f"integration-{os.getpid()}-{worker}", ["host1"], tmp_path_factory.mktemp("lab"), mirrors)
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def fixture_toolchain(lab: Lab) -> dict[str, Any]:
    return lab.serve_toolchain("fixture")


@pytest.fixture(scope="module")
def toolchain(lab: Lab, fixture_toolchain: dict[str, Any]) -> None:
    """Every play of the module has the variables of a FIXTURE toolchain."""
    lab.variables.update(fixture_toolchain)
