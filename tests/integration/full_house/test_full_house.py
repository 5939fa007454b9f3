# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""All agents of a host log in at the same moment: 300 accounts, from one machine, by ssh with a key."""

from __future__ import annotations

import fcntl
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import HOSTS, Lab

ACCOUNTS = 300
ROLES = ("agent_policy", "agent_wrappers", "agent_limits", "agent_capacity", "agent_status")
# What an agent does first: a wrapped command. It prints its cap, in KiB.
FIRST_COMMAND = "/opt/nova-agent/bin/run_limited.sh bash -c 'ulimit -v'"
CAP = 4 << 20
CREATE = f"""
groupadd --force nova-agents
for number in $(seq {ACCOUNTS}); do echo "agent$number:x:::FIXTURE agent:/home/agent$number:/bin/bash"; done | newusers
gpasswd --members "$(seq --separator=, --format=agent%.0f {ACCOUNTS})" nova-agents
for number in $(seq {ACCOUNTS}); do
  mkdir --mode=0700 "/home/agent$number/.ssh"
  cp /home/ubuntu/.ssh/authorized_keys "/home/agent$number/.ssh/"
  chown --recursive "agent$number:" "/home/agent$number"
done
"""
REMOVE = (
    "getent group nova-agents | cut -d: -f4 | tr , '\\n' | while read -r name; do userdel --force --remove $name; done"
)


@dataclass(frozen=True)
class Login:
    account: str
    status: int
    out: str
    error: str


@pytest.fixture(scope="module")
def house(hosts: Lab) -> Iterator[Lab]:
    """A host with all accounts, and nothing of the collection."""
    hosts.variables = {}
    hosts.run("host1", CREATE)
    yield hosts
    hosts.play("nova.agent_host.retire", "--limit", "host1").succeeded()
    hosts.run(
        "host1",
        f"loginctl kill-user {' '.join(accounts())} 2>/dev/null; {REMOVE} 2>/dev/null; groupdel nova-agents || true",
    )


def accounts() -> list[str]:
    return [f"agent{number}" for number in range(1, ACCOUNTS + 1)]


def log_in_all(lab: Lab, command: str, folder) -> list[Login]:
    """Every account runs a command by an ssh of its own. All of them start when a lock is given free."""
    (host,) = json.loads(subprocess.run([str(HOSTS), "describe", lab.name], check=True, text=True, stdout=subprocess.PIPE).stdout)["hosts"]  # fmt: skip
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
    with (folder / "start").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        wait = ["flock", "--shared", "--no-fork", start.name]
        ssh = [*wait, "ssh", "-i", host["identity_file"], *(f"-o{option}" for option in options)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        clients = {
            account: subprocess.Popen([*ssh, f"{account}@{host['address']}", command], **pipes)
            for account in accounts()
        }
    found = []
    for account, client in clients.items():
        out, error = client.communicate()
        found.append(Login(account, client.returncode, out.strip(), error.strip()))
    return found


def refused(logins: list[Login]) -> list[Login]:
    """ssh's own status: no session was opened."""
    return [login for login in logins if login.status == 255]


def test_without_the_role_sshd_refuses_many(house, tmp_path, record_property):
    without = refused(log_in_all(house, "true", tmp_path))
    record_property("refused", len(without))
    print(f"without the role: {len(without)} of {ACCOUNTS} logins refused")
    assert without


def test_all_log_in_and_the_host_stays_in_reach(house, tmp_path):
    tags = ["--tags", ",".join(ROLES)]
    house.site(*tags).succeeded()
    answers: dict[str, list[int]] = {"root": [], "status": [], "audit": [], "site": []}
    done = threading.Event()

    def root() -> None:
        while not done.is_set():
            answers["root"].append(
                subprocess.run(house.ssh("host1", "id"), check=False, capture_output=True).returncode
            )

    def operator() -> None:
        status = house.ssh("host1", "agent-status --json")
        answers["status"].append(subprocess.run(status, check=False, capture_output=True).returncode)
        answers["audit"].append(house.play("nova.agent_host.audit", *tags).status)
        answers["site"].append(house.site(*tags).status)

    people = [threading.Thread(target=root), threading.Thread(target=operator)]
    for person in people:
        person.start()
    logins = log_in_all(house, FIRST_COMMAND, tmp_path)
    done.set()
    for person in people:
        person.join()
    print(
        f"with the role: {len(refused(logins))} of {ACCOUNTS} logins refused; {len(answers['root'])} of root's meanwhile"
    )
    assert [login for login in logins if login.status != 0 or login.out != str(CAP)] == []
    assert set(answers["root"]) == {0}
    assert answers["status"] == [0]
    assert answers["site"] == [0]
    assert answers["audit"][0] in (0, 2)  # other roles of the policy were not applied
