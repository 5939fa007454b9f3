# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Reads the steps of a page in docs/how-to, and runs them in a folder and on a test host.

A file is a fenced block after a line that ends with its name in backticks and a colon. Commands are in blocks of the language
`console`: `$ COMMAND` is for the controller, `USER@HOST$ COMMAND` and `root@HOST# COMMAND` for the host. The other lines of such a
block are output: the command prints them in this order, and can print other lines between them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import fixture_mirror
from conftest import CHECKOUT
from repackage import channel_checksums
from rustup_wheel import CHECKSUMS, VERSION, rustup_init

PAGES = CHECKOUT / "docs/how-to"
BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`([\w./-]+)`:$")
PROMPT = re.compile(r"(?:(?P<user>\w+)@\w+[$#]|\$) (?P<command>.*)")
VERSIONS = ("1.92.0", "1.93.0")


@dataclass
class File:
    name: str
    text: str


@dataclass
class Command:
    text: str
    user: str = ""  # empty: on the controller
    output: list[str] = field(default_factory=list)


def steps(page: str) -> Iterator[File | Command]:
    for block in BLOCK.finditer((PAGES / f"{page}.md").read_text(encoding="utf-8")):
        named = NAMED.search(block["before"])
        if block["language"] == "console":
            yield from commands(block["text"])
        elif named:
            yield File(named[1], block["text"])


def commands(text: str) -> Iterator[Command]:
    command = None
    for line in text.splitlines():
        prompt = PROMPT.fullmatch(line)
        if prompt:
            if command:
                yield command
            command = Command(prompt["command"], prompt["user"] or "")
        elif command:
            command.output.append(line)
    if command:
        yield command


class Reader:
    """A reader of the pages: with a folder, a host, and a server with a FIXTURE of Rust."""

    def __init__(self, lab: Any, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.host = next(iter(lab.addresses))
        self.environment: dict[str, str] = {}
        build = ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(CHECKOUT)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        fixture_mirror.build(lab.served / "rust", rustup_init(), VERSIONS)
        self.set("host_vars/build1.example.net", **self.connection)
        self.set(
            "group_vars/all",
            agent_mirror_source=f"{lab.url}/rust",
            agent_mirror_architectures=[os.uname().machine],
            agent_toolchain_dist_server=f"{lab.url}/rust",
            agent_toolchain_channel_checksums=channel_checksums(lab.served / "rust"),
            agent_toolchain_rustup_version=VERSION,
            agent_toolchain_rustup_checksums=CHECKSUMS,
        )

    @property
    def connection(self) -> dict[str, Any]:
        group = json.loads(Path(self.lab.inventory).read_text())["all"]["children"]["agent_hosts"]
        return {**group["vars"], **group["hosts"][self.host]}

    def set(self, name: str, **variables: Any) -> None:
        path = self.folder / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(variables))

    def prepare(self) -> None:
        """The part of the first page that all pages need: its files, and the installed collection."""
        for step in steps("first-host"):
            if isinstance(step, File) or step.text.startswith("ansible-galaxy "):
                self.do(step)

    def follow(self, page: str) -> None:
        for step in steps(page):
            self.do(step)

    def do(self, step: File | Command) -> None:
        if isinstance(step, File):
            path = self.folder / step.name
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.with_own_servers(step.text))
        else:
            check(step, self.run(replace(step, text=self.with_own_servers(step.text))))

    def with_own_servers(self, text: str) -> str:
        text = text.replace("https://mirror.example.net", self.lab.url)
        return text.replace("https://git.example.net", f"git://{self.lab.controller}")

    def run(self, command: Command) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        # The pages use the installed tarball, but the checkout is on sys.path.
        environment |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false", **self.environment}
        line = ["bash", "-c", command.text]
        if command.user:
            login = command.text if command.user == "root" else f"su - {command.user} -c {shlex.quote(command.text)}"
            line = self.lab.ssh(self.host, login)
        return subprocess.run(
            line, cwd=self.folder, env=environment, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


def check(command: Command, done: subprocess.CompletedProcess[str]) -> None:
    context = f"{command.text}\n{done.stdout}"
    assert done.returncode == 0, context
    position = 0
    for line in command.output:
        position = done.stdout.find(line, position)
        assert position >= 0, f"{line!r} is not in the output of {context}"
