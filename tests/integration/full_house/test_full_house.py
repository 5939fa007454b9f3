# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""All agents of a host log in at the same time: 300 accounts from one machine, by ssh with a key."""

from __future__ import annotations

import fcntl
import json
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import HOSTS, PIPES, Lab, Played

ACCOUNTS = 300
ROLES = ("agent_policy", "agent_toolchain", "agent_wrappers", "agent_limits", "agent_capacity", "agent_status")
AGENT = Path(__file__).with_name("agent.py").read_text()
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


@dataclass(frozen=True)
class Login:
    account: str
    status: int
    out: str
    error: str


@pytest.fixture(scope="module")
def house(lab: Lab) -> Lab:
    """A host with all accounts, without the collection's files."""
    lab.run("host1", CREATE)
    return lab


def accounts() -> list[str]:
    return [f"agent{number}" for number in range(1, ACCOUNTS + 1)]


def log_in_all(lab: Lab, command: str, folder) -> list[Login]:
    """Every account runs a command with its number, with a separate ssh. All start when a lock is released."""
    (host,) = json.loads(subprocess.run([str(HOSTS), "describe", lab.name], check=True, text=True, stdout=subprocess.PIPE).stdout)["hosts"]  # fmt: skip
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes"]
    with (folder / "start").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        # Real clients do not use the host's CPUs.
        wait = ["nice", "-n", "19", "flock", "--shared", "--no-fork", start.name]
        ssh = [*wait, "ssh", "-i", host["identity_file"], *(f"-o{option}" for option in options)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        clients = {
            account: subprocess.Popen([*ssh, f"{account}@{host['address']}", f"{command} {number}"], **pipes)
            for number, account in enumerate(accounts(), 1)
        }
    found = []
    for account, client in clients.items():
        out, error = client.communicate()
        found.append(Login(account, client.returncode, out.strip(), error.strip()))
    return found


def refused(logins: list[Login]) -> list[Login]:
    """Whether ssh failed before a session was opened."""
    return [login for login in logins if login.status == 255]


def test_sshd_refuses_many_logins_without_the_role(house, tmp_path, record_property):
    without = refused(log_in_all(house, "true", tmp_path))
    record_property("refused", len(without))
    print(f"without the role: {len(without)} of {ACCOUNTS} logins refused")
    assert without


def records(lab: Lab) -> list[dict[str, str]]:
    """The records of all wrapped commands."""
    lines = lab.run("host1", "journalctl --sync; journalctl -q -t cargo_agent -o json").splitlines()
    return [json.loads(line) for line in lines]


def test_all_agents_log_in_and_build_and_the_host_stays_reachable(house, tmp_path):
    house.variables = house.serve_toolchain("toolchain")
    tags = ["--tags", ",".join(ROLES)]
    house.site(*tags).succeeded()
    house.run("host1", f"cat >/srv/agent.py <<'END_OF_FILE'\n{AGENT}END_OF_FILE\n")
    answers: list[int] = []  # to root
    plays: dict[str, Played] = {}
    seconds: list[float] = []  # of root's logins
    pools: list[dict] = []
    done = threading.Event()

    def root() -> None:
        while not done.is_set():
            start = time.monotonic()
            answers.append(subprocess.run(house.ssh("host1", "id"), check=False, **PIPES).returncode)
            seconds.append(time.monotonic() - start)

    def operator() -> None:
        plays["audit"] = house.play("nova.agent_host.audit", *tags)
        plays["site"] = house.site(*tags)

    def status() -> None:
        while not done.is_set():
            pools.append(json.loads(house.run("host1", "agent-status --json"))["pool"])
            done.wait(5)

    threads = [threading.Thread(target=thread) for thread in (root, operator, status)]
    for thread in threads:
        thread.start()
    start = time.monotonic()
    logins = log_in_all(house, "python3 /srv/agent.py", tmp_path)
    took = time.monotonic() - start
    done.set()
    for thread in threads:
        thread.join()
    found = records(house)
    waited = sorted(int(record["NOVA_CARGO_SLOT_MS"]) + int(record["NOVA_CARGO_MEMORY_MS"]) for record in found)
    print(
        f"with the role: {len(refused(logins))} of {ACCOUNTS} logins refused; all had built after {took:.0f} s, half of them waited "
        f"{waited[len(waited) // 2] / 1000:.0f} s or less for slot and memory; root's {len(seconds)} logins took "
        f"{sorted(seconds)[len(seconds) // 2]:.1f} s, at most {max(seconds):.1f} s; most of the pool held: "
        f"{max(pool['held'] for pool in pools) >> 30} of {pools[0]['total'] >> 30} GiB"
    )
    assert [login for login in logins if login.status != 0] == []
    assert len({record["_UID"] for record in found}) == len(found) == ACCOUNTS
    assert {record["NOVA_CARGO_ENDED"] for record in found} == {"exit 0"}
    assert all(pool["held"] <= pool["total"] for pool in pools)
    assert json.loads(house.run("host1", "agent-status --json"))["pool"]["held"] == 0
    assert set(answers) == {0}
    plays["site"].succeeded()
    assert plays["audit"].status in (0, 2), plays["audit"].text  # other roles of the policy were not applied
