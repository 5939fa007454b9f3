# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The test hosts: they start, are isolated, reboot, and leave nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOSTS = str(Path(__file__).parents[2] / "tools/hosts/hosts.sh")
REGISTRY = Path("/run/nova-agent-test-hosts")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nova-agent-host"
# Processes that these tests start inherit this variable. Processes in hosts are found by their control group.
MARK = f"TEST_HOSTS_MARK={uuid.uuid4()}"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="compares state that only root can see")


def hosts(*arguments: str) -> str:
    """Run hosts.sh, which must succeed. Return its output."""
    done = subprocess.run([HOSTS, *arguments], capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(**more: str) -> dict[str, str]:
    name, _, value = MARK.partition("=")
    return {**os.environ, name: value, **more}


def output(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def processes() -> set[str]:
    """Processes that our commands started, and those in any of our runs' control groups."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            ours = MARK in (directory / "environ").read_text(errors="replace")
            if ours or re.search(r"/nova-agent-test-hosts/hoststest", (directory / "cgroup").read_text()):
                found.add((directory / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it has just ended
    return found


def machine_state() -> dict[str, set[str]]:
    """Everything on the machine that a run changes, without the runs of others."""
    others = [json.loads(path.read_text()) for path in REGISTRY.glob("*/run.json")]
    others = [record for record in others if record["run"] not in our_runs()]
    others_names = "|".join(rf"{record['run']}|nah{record['subnet']}|{record['subnet']}\.0/24" for record in others)

    def is_ours(line: str) -> bool:
        return not others_names or not re.search(rf"\b({others_names})\b", line)

    groups = [str(path) for path in Path("/sys/fs/cgroup").glob("**/nova-agent-test-hosts/*") if path.is_dir()]
    state = {
        "links": [re.sub(r"@.*|: <.*", "", line).split(": ")[1] for line in output("ip", "-o", "link", "show")],
        "routes": output("ip", "route", "show", "table", "all", "type", "unreachable"),
        "network namespaces": output("ip", "netns", "list"),
        "mounts": [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()],
        "control groups": groups,
        "files": [str(path) for folder in (REGISTRY, CACHE / "runs") for path in folder.glob("*/")],
        "processes": list(processes()),
    }
    if not others:
        state["sysctls"] = [Path("/proc/sys/fs/inotify/max_user_instances").read_text()]
    return {kind: {line for line in lines if is_ours(line)} for kind, lines in state.items()}


def our_runs() -> list[str]:
    return [path.name for path in REGISTRY.glob("hoststest*")]


@pytest.fixture
def leaves_nothing() -> Iterator[None]:
    """Compare the machine before and after. The base image is built before, because it stays."""
    hosts("base")
    before = machine_state()
    yield
    # A child of a killed command, such as apt-get, ends by itself a moment later.
    wait_for(lambda: not processes() - before["processes"])
    after = machine_state()
    remaining = {kind: lines - before.get(kind, set()) for kind, lines in after.items()}
    for run in our_runs():
        hosts("down", run)
    assert remaining == {kind: set() for kind in after}


def describe(run: str) -> dict[str, str]:
    described: dict[str, str] = json.loads(hosts("describe", run))
    return described


def ssh(run: str, host: str, command: str) -> str:
    return hosts("ssh", run, host, command).strip()


@pytest.mark.usefixtures("leaves_nothing")
def test_two_runs_are_separate_and_leave_nothing() -> None:
    runs = ("hoststest-a", "hoststest-b")
    starting = [subprocess.Popen([HOSTS, "up", run, "web", "db"], stdout=subprocess.DEVNULL) for run in runs]
    assert [process.wait() for process in starting] == [0, 0]
    assert len({describe(run)["controller"] for run in runs}) == 2
    # A host can reach the hosts of its run, and no others.
    assert ssh("hoststest-a", "web", "hostname; id -un; sudo id -un").split() == ["web", "ubuntu", "root"]
    reach = "timeout 2 bash -c '</dev/tcp/{}/22' 2>/dev/null && echo yes || echo no"
    for run, answer in (("hoststest-a", "yes"), ("hoststest-b", "no")):
        address = describe(run)["controller"].rpartition(".")[0] + ".12"
        assert ssh("hoststest-a", "web", reach.format(address)) == answer
    for run in runs:
        hosts("down", run)


@pytest.mark.usefixtures("leaves_nothing")
def test_rebooted_host_has_its_old_disk() -> None:
    run = "hoststest-reboot"
    hosts("up", run)
    boot = "cat /proc/sys/kernel/random/boot_id"
    first = ssh(run, "host1", f"touch kept; {boot}")
    ssh(run, "host1", "sudo systemd-run --quiet systemctl reboot")

    def is_back() -> bool:
        command = [HOSTS, "ssh", run, "host1", f"test -e kept && {boot}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode == 0 and done.stdout.strip() != first

    wait_for(is_back)
    assert ssh(run, "host1", "systemctl is-system-running --wait") == "running"
    hosts("down", run)


def wait_for(condition: Callable[[], bool], of: subprocess.Popen[Any] | None = None) -> None:
    """Wait without a time limit. Fail if the process ``of`` ends before the condition is true."""
    while not condition():
        ended = of is not None and of.poll() is not None
        assert not ended or condition()
        time.sleep(0.01)


def has_record(run: str) -> bool:
    return (REGISTRY / run / "run.json").exists()


def has_bridge(run: str) -> bool:
    if not has_record(run):
        return False
    subnet = json.loads((REGISTRY / run / "run.json").read_text())["subnet"]
    return Path(f"/sys/class/net/nah{subnet}").exists()


def has_systemd(run: str) -> bool:
    return any(Path("/sys/fs/cgroup").glob(f"**/nova-agent-test-hosts/{run}/host1/payload/init.scope"))


@pytest.mark.usefixtures("leaves_nothing")
def test_folder_is_served_to_the_hosts_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text("42")
    run = "hoststest-serve"
    hosts("up", run)
    url = hosts("serve", run, str(tmp_path)).strip()
    assert ssh(run, "host1", f"curl --silent {url}/answer") == "42"
    again = subprocess.run([HOSTS, "serve", run, str(tmp_path)], capture_output=True, text=True, check=False)
    assert again.stderr == f"test hosts: run {run} already serves a folder, and can serve only one\n"
    hosts("down", run)


@pytest.mark.usefixtures("leaves_nothing")
def test_run_keeps_the_subnet_of_its_start() -> None:
    run = "hoststest-range"
    other = environment(TEST_HOSTS_RANGE="10.214")
    subprocess.run([HOSTS, "up", run], check=True, env=other, stdout=subprocess.DEVNULL)
    assert describe(run)["controller"].startswith("10.214.")
    assert ssh(run, "host1", "hostname") == "host1"
    hosts("down", run)


@pytest.mark.usefixtures("leaves_nothing")
def test_ssh_to_a_silent_host_ends() -> None:
    run = "hoststest-frozen"
    hosts("up", run)
    for group in Path("/sys/fs/cgroup").glob(f"**/nova-agent-test-hosts/{run}/host1/cgroup.freeze"):
        group.write_text("1")
    patience = environment(TEST_HOSTS_PATIENCE="2")
    done = subprocess.run(
        [HOSTS, "ssh", run, "host1", "true"], capture_output=True, text=True, check=False, env=patience
    )
    assert done.returncode == 255
    assert "timed out" in done.stderr
    hosts("down", run)


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize("reached", [has_record, has_bridge, has_systemd])
def test_killed_start_is_cleaned_up_by_the_next_command(reached: Callable[[str], bool]) -> None:
    run = "hoststest-killed"
    starting = subprocess.Popen([HOSTS, "up", run], stderr=subprocess.DEVNULL, env=environment())
    wait_for(lambda: reached(run), starting)
    starting.kill()
    starting.wait()
    assert has_record(run)
    hosts("down", "hoststest-other")
    assert not has_record(run)


@pytest.mark.usefixtures("leaves_nothing")
def test_interrupted_start_cleans_up() -> None:
    run = "hoststest-interrupted"
    starting = subprocess.Popen([HOSTS, "up", run], stderr=subprocess.PIPE, text=True, env=environment())
    wait_for(lambda: has_systemd(run), starting)
    starting.send_signal(signal.SIGTERM)
    assert starting.communicate()[1] == "test hosts: interrupted\n"
    assert starting.returncode == 130


@pytest.mark.usefixtures("leaves_nothing")
def test_killed_build_leaves_no_process_and_no_image(tmp_path: Path) -> None:
    elsewhere = environment(XDG_CACHE_HOME=str(tmp_path))
    building = subprocess.Popen([HOSTS, "base"], stderr=subprocess.DEVNULL, env=elsewhere)
    wait_for(lambda: any(tmp_path.glob("nova-agent-host/*.partial/usr")), building)
    building.kill()
    building.wait()
    wait_for(lambda: not processes())
    assert [path.suffix for path in tmp_path.glob("nova-agent-host/base-*")] == [".partial"]


@pytest.mark.usefixtures("leaves_nothing")
def test_run_survives_its_start_command_but_not_its_owner() -> None:
    owner = subprocess.Popen(["sleep", "infinity"])
    hosts("up", "hoststest-owned", "--owner", str(owner.pid))
    hosts("down", "hoststest-other")
    assert has_record("hoststest-owned")
    owner.kill()
    owner.wait()
    hosts("up", "hoststest-next")
    assert not has_record("hoststest-owned")
    hosts("down", "hoststest-next")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "Big"], "name 'Big': allowed are at most 24 lower-case letters, digits and '-', with a letter first"),
        (["up", "hoststest", "a", "a"], "host names must differ: a a"),
        (["up", "hoststest", "--count", "201"], "201 hosts: 1 to 200 are possible"),
        (["up", "hoststest", "--owner", "4194305"], "there is no process 4194305 to own the run"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], message: str) -> None:
    done = subprocess.run([HOSTS, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"test hosts: {message}\n")


def test_missing_root_is_reported() -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    # sudo is replaced, because on some machines any account may use it.
    command = [
        *nobody,
        "env",
        "PYTHON=/usr/bin/python3",
        "bash",
        "-c",
        'sudo() { return 1; }; . "$0" "$@"',
        HOSTS,
        "base",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "test hosts: needs root, or sudo without a password\n"
