# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The pages about ansible-pull: a test host with cloud-init and a NoCloud seed runs ansible-pull."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Lab
from reader import Command, File, Reader, steps

# Unlike an EC2 instance, the test host already has its network, name and keys.
CLOUD_CONFIG = """\
datasource_list: [NoCloud]
network: {config: disabled}
preserve_hostname: true
ssh_deletekeys: false
users: []
apt: {preserve_sources_list: true}
"""
SEED = "/var/lib/cloud/seed/nocloud"


@pytest.fixture(scope="module")
def pull(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A host whose distribution has a new enough ansible-core."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUITE", "trixie")
        lab = Lab(f"pull-{os.getpid()}", ["host1"], tmp_path_factory.mktemp("pull"))
    try:
        yield Reader(lab, tmp_path_factory.mktemp("reader"))
    finally:
        lab.down()


def write(reader: Reader, path: str, text: str) -> None:
    command = reader.lab.ssh(reader.host, f"mkdir -p {Path(path).parent} && cat >{path}")
    subprocess.run(command, check=True, text=True, input=text)


@pytest.fixture(scope="module")
def push(pull: Reader) -> Iterator[Callable[[], None]]:
    """Push the reader's repository to a server that the host can reach."""
    served = pull.lab.served / "git"
    served.mkdir()
    line = ["git", "daemon", "--export-all", f"--base-path={served}", f"--listen={pull.lab.controller}"]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL) as server:
        yield lambda: subprocess.run(
            ["git", "clone", "--quiet", "--bare", str(pull.folder), str(served / "agents.git")], check=True
        )
        server.terminate()


def boot(reader: Reader) -> None:
    reader.do(Command("ansible -i inventory.yml agent_hosts -b -m ansible.builtin.reboot"))
    reader.do(Command("cloud-init status --wait || { tail -n 60 /var/log/cloud-init-output.log; exit 1; }", "root"))


def test_host_configures_itself_at_boot_and_again_from_its_image(pull: Reader, push: Callable[[], None]) -> None:
    pull.environment = {
        f"GIT_{role}_{what}": "reader@example.net" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    pull.prepare()
    write(pull, "/etc/apt/apt.conf.d/99-test-host", 'APT::Install-Recommends "false";')
    pull.do(Command("apt-get update -qq && apt-get install -qqy cloud-init", "root"))
    write(pull, "/etc/cloud/cloud.cfg.d/99-test-host.cfg", CLOUD_CONFIG)
    for step in steps("ansible-pull"):
        pull.do(step)
        if isinstance(step, Command) and "git commit" in step.text:
            push()
        if isinstance(step, File) and step.name == "user-data":
            write(pull, f"{SEED}/meta-data", "instance-id: stand-in\n")
            write(pull, f"{SEED}/user-data", (pull.folder / step.name).read_text())
            boot(pull)
    audit = Command("ansible-playbook -i inventory.yml nova.agent_host.audit", output=["all compliant"])
    pull.do(audit)

    pull.follow("baking-an-image")
    assert pull.lab.run(pull.host, "cat /etc/machine-id").strip() == "uninitialized"
    boot(pull)
    pull.do(audit)
