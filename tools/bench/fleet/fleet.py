# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The cost of applying the policy to compliant hosts, compared with a ping and with other tools.

fleet.py [--hosts 1,10,50] [--rounds 3] [--task-a-file 10] [--settings]: boots test hosts, applies the site, and times each way in turn, in
one run on the same hosts. Each run opens new ssh connections. With many hosts, one task for each file would take most of an hour, so
only a fifth of its tasks is run, and the row says so. --settings compares forks, strategies and batches instead.
`make bench-fleet` runs it, with pyinfra in a separate environment (PYINFRA).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import state as recorded
import yaml

HERE = Path(__file__).parent
TOOLS = HERE.parents[1]
HOSTS = TOOLS / "hosts/hosts.sh"
PYINFRA = os.environ.get("PYINFRA", "pyinfra")
PING = [{"hosts": "agent_hosts", "become": True, "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}]
SITE = "nova.agent_host.site"
DRIFTED = "/etc/security/limits.d/90-nova-agent.conf"
FORKS = 10
SAMPLE = 5  # with many hosts, a play with one task for each file runs only each fifth task


def out(*command: str | Path) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


class Fleet:
    """A run of test hosts, and the variables of their plays."""

    def __init__(self, name: str, count: int, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.inventory = out(HOSTS, "up", name, "--count", str(count), "--owner", str(os.getpid()))
        self.described = json.loads(out(HOSTS, "describe", name))
        self.hosts = [host["instance"] for host in self.described["hosts"]]
        mirror = json.loads(out(sys.executable, TOOLS / "rust_mirror/demo_mirror.py", "--only", "fixture"))
        url = out(HOSTS, "serve", name, mirror["path"])
        self.variables = {
            "agent_policy_rust_channel": mirror["channel"],
            "agent_toolchain_dist_server": url,
            "agent_toolchain_channel_checksums": mirror["channel_checksums"],
            "agent_toolchain_rustup_version": mirror["rustup_version"],
            "agent_toolchain_rustup_checksums": mirror["rustup_checksums"],
            # Every role has work, except agent_ceiling, which does not work in containers.
            "agent_policy_users": ["agent1"],
            "agent_policy_create_users": True,
            "agent_limits_services": ["cron"],
            "agent_hygiene_workspaces": ["~/nova*"],
            "agent_hygiene_audit_logs": [{"path": "/home/agent1/audit.log", "owner": "agent1"}],
        }

    def root(self, host: str, command: str) -> str:
        return out(HOSTS, "ssh", self.name, host, "--", f"sudo bash -c {shlex.quote(command)}")

    def write(self, name: str, play: list[dict[str, Any]]) -> str:
        path = self.folder / f"{name}.yml"
        path.write_text(yaml.safe_dump(play, sort_keys=False))
        return str(path)

    def play(self, playbook: str, count: int, serial: str = "100%", **settings: object) -> None:
        with tempfile.TemporaryDirectory(prefix="cp") as control:
            environment = {
                **os.environ,
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_INJECT_FACT_VARS": "false",
                "ANSIBLE_FORKS": str(FORKS),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": control,
                **{f"ANSIBLE_{name.upper()}": str(value) for name, value in settings.items()},
            }
            limit = ["--limit", ",".join(self.hosts[:count])]
            variables = json.dumps({**self.variables, "agent_site_serial": serial})
            command = ["ansible-playbook", "-i", self.inventory, playbook, "-e", variables, *limit]
            checked(command, environment)

    def pyinfra(self, count: int, state: Path) -> None:
        data = {
            "ssh_user": "ubuntu",
            "ssh_key": self.described["hosts"][0]["identity_file"],
            "ssh_strict_host_key_checking": "no",
            "ssh_known_hosts_file": "/dev/null",
            "state": str(state),
        }
        addresses = [host["address"] for host in self.described["hosts"][:count]]
        inventory = self.folder / "inventory.py"
        inventory.write_text(f"hosts = ({addresses!r}, {data!r})\n")
        checked([PYINFRA, "-y", str(inventory), str(HERE / "deploy.py")], dict(os.environ))

    def drift(self, count: int) -> None:
        for host in self.hosts[: max(1, count // 10)]:
            self.root(host, f"echo drift >> {DRIFTED}")


def checked(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, check=False, text=True, capture_output=True, env=environment)
    if done.returncode:
        sys.exit(
            f"{shlex.join(command)} ended with status {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Wall time, and CPU time of the controller. The hosts are not children of this process."""
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def medians(
    rounds: int, action: Callable[[], object], before: Callable[[], object] = lambda: None
) -> tuple[float, float]:
    times = []
    for _ in range(rounds):
        before()
        times.append(timed(action))
    return statistics.median(wall for wall, _cpu in times), statistics.median(cpu for _wall, cpu in times)


def median(rounds: int, action: Callable[[], object], before: Callable[[], object] = lambda: None) -> float:
    return medians(rounds, action, before)[0]


@contextmanager
def fleet(count: int) -> Iterator[Fleet]:
    name = f"bench-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        print(f"booting {count} hosts and applying the site, load {os.getloadavg()[0]:.1f} ...", file=sys.stderr)
        try:
            hosts = Fleet(name, count, Path(folder))
            hosts.play(SITE, count)
            yield hosts
        finally:
            out(HOSTS, "down", name)


def compare(hosts: Fleet, counts: list[int], rounds: int, most_tasks: int) -> None:
    ping = hosts.write("ping", PING)
    paths = recorded.record(lambda command: hosts.root(hosts.hosts[0], command), hosts.folder)
    state = hosts.folder / "state.json"
    state.write_text(json.dumps(paths))
    tasks = recorded.task_a_file(paths)
    print(f"{len(paths)} paths, forks {FORKS}, {rounds} rounds; seconds (medians), and multiples of the ping\n")
    print("| hosts | ping | site | site, 10 % drifted | pyinfra | one task for each file (one round) |")
    print("|---|---|---|---|---|---|")
    for count in counts:
        row = [
            median(rounds, lambda count=count: hosts.play(ping, count)),
            median(rounds, lambda count=count: hosts.play(SITE, count)),
            median(rounds, lambda count=count: hosts.play(SITE, count), lambda count=count: hosts.drift(count)),
            median(rounds, lambda count=count: hosts.pyinfra(count, state)),
        ]
        run = tasks if count <= most_tasks else tasks[::SAMPLE]
        play = hosts.write("tasks", recorded.play_of(run))
        row.append(median(1, lambda count=count, play=play: hosts.play(play, count)))
        cells = [f"{seconds:.1f} ({seconds / row[0]:.2f}x)" for seconds in row[1:]]
        if len(run) < len(tasks):
            cells[-1] = f"{len(run)} of its {len(tasks)} tasks: {cells[-1]}"
        print(f"| {count} | {row[0]:.1f} | {' | '.join(cells)} |", flush=True)


def settings(hosts: Fleet, count: int, rounds: int) -> None:
    ping = hosts.write("ping", PING)
    ways: list[tuple[str, str, dict[str, object]]] = [
        ("ping", ping, {"forks": FORKS}),
        *(("site", SITE, {"forks": forks}) for forks in (2, 5, 10, 25, 50)),
        *(("site", SITE, {"forks": FORKS, "strategy": strategy}) for strategy in ("free", "host_pinned")),
        *(("site", SITE, {"forks": FORKS, "serial": serial}) for serial in ("50%", "20%")),
    ]
    print(f"{count} compliant hosts, seconds (medians of {rounds})\n")
    print("| play | settings | wall | CPU of the controller, for each host |\n|---|---|---|---|")
    for name, playbook, given in ways:
        wall, cpu = medians(rounds, lambda playbook=playbook, given=given: hosts.play(playbook, count, **given))
        text = ", ".join(f"{setting} {value}" for setting, value in given.items())
        print(f"| {name} | {text} | {wall:.1f} | {cpu / count:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", default="1,10,50")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--task-a-file",
        type=int,
        default=10,
        help="up to this number of hosts, run all tasks of the play with one task for each file",
    )
    parser.add_argument("--settings", action="store_true")
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.hosts.split(",")]
    with fleet(max(counts)) as hosts:
        if arguments.settings:
            settings(hosts, max(counts), arguments.rounds)
        else:
            compare(hosts, counts, arguments.rounds, arguments.task_a_file)


if __name__ == "__main__":
    main()
