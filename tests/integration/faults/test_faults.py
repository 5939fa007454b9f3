# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Faults in fleets: after each of them the next apply corrects the host, and no reader sees an incomplete file.

Takes minutes, so it is not part of `make test`: run `make test-faults`. Two policies are applied in turn. A reader on the
host records each content of a file that differs between the two.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time

import pytest

HOST = "host1"
WATCHED = "/opt/nova-agent/etc/policy.env"
ONE = {"agent_policy_memory_per_agent": "4G"}
TWO = {"agent_policy_memory_per_agent": "3G"}
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)

# With these options, OpenSSH ends a broken connection after three seconds; without them, TCP does after a quarter of an hour.
# All plays have them, because a shared connection has the options of the play that opened it.
KEEPALIVE = "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=1 -o ServerAliveCountMax=3"

READER = f"""
import hashlib, sys, time
seen = set()
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        with open({WATCHED!r}, "rb") as file:
            seen.add(hashlib.sha256(file.read()).hexdigest())
    except FileNotFoundError:
        seen.add("missing")
print(*seen)
"""


@pytest.fixture(scope="module")
def randomness():
    print(f"FAULTS_SEED={SEED} repeats these faults", file=sys.stderr)
    return random.Random(SEED)


@pytest.fixture(scope="module", autouse=True)
def contents(lab, toolchain):
    """The hash of the watched file with each policy. The host has the first policy afterwards."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ANSIBLE_SSH_ARGS", KEEPALIVE)
        hashes = []
        for policy in (TWO, ONE):
            lab.site(**policy).succeeded()
            hashes.append(lab.run(HOST, f"sha256sum {WATCHED}").split()[0])
        assert len(set(hashes)) == 2
        yield set(hashes)


class Reader:
    """Read the watched file on the host as often as possible."""

    def __init__(self, lab, seconds):
        ssh = lab.ssh(HOST, f"python3 -c {shlex.quote(READER)} {seconds}")
        self.process = subprocess.Popen(ssh, text=True, stdout=subprocess.PIPE)

    def seen(self):
        return set(self.process.communicate()[0].split())


def started(lab, **policy):
    """A running site, in a separate process group."""
    command, environment = lab.command("nova.agent_host.site", **policy)
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_results(lab, play, count):
    while play.poll() is None and len(lab.recorded.read_text().splitlines()) < count:
        time.sleep(0.02)


def link(lab, state):
    subprocess.run(["ip", "link", "set", lab.links[HOST], state], check=True)


def apply_and_check(lab, **policy):
    lab.site(**policy).succeeded()
    assert lab.site(**policy).succeeded().changed == {}
    json.loads(lab.run(HOST, "cat /var/lib/nova-agent/manifest.json"))
    assert lab.run(HOST, "find /opt/nova-agent /etc -name '*.nova-agent*'") == ""


@pytest.mark.parametrize("results", [1, 2, 3, 4])
def test_killed_play_is_finished_by_the_next(lab, contents, randomness, results):
    lab.site(**ONE).succeeded()
    reader = Reader(lab, 12)
    play = started(lab, **TWO)
    wait_for_results(lab, play, results)
    time.sleep(randomness.uniform(0, 0.5))  # so that it can be in the middle of a task
    with contextlib.suppress(ProcessLookupError):
        os.killpg(play.pid, signal.SIGKILL)
    play.communicate()
    assert reader.seen() <= contents
    apply_and_check(lab, **TWO)


def test_broken_network_ends_the_play_and_not_the_host(lab, contents):
    lab.site(**ONE).succeeded()
    play = started(lab, **TWO)
    wait_for_results(lab, play, 2)  # the play has read the host, and starts to apply
    link(lab, "down")
    try:
        output, _ = play.communicate(timeout=600)
    finally:
        link(lab, "up")
    assert play.returncode == 4 and "unreachable=1" in output
    assert lab.run(HOST, f"sha256sum {WATCHED}").split()[0] in contents
    apply_and_check(lab, **TWO)


def test_full_disk_names_the_file_and_the_next_apply_with_space_succeeds(lab):
    lab.site(**ONE).succeeded()
    lab.run(HOST, "mount -t tmpfs -o size=8k none /opt/nova-agent/etc")
    try:
        output = lab.site(**TWO).failed().messages
        assert "/opt/nova-agent/etc/" in output and "No space left on device" in output
        assert lab.run(HOST, "find /opt/nova-agent/etc -name '.*' -type f") == ""
    finally:
        lab.run(HOST, "umount /opt/nova-agent/etc")
    apply_and_check(lab, **TWO)


def test_two_controllers_with_different_policies_leave_one_policy(lab, contents):
    lab.site(**ONE).succeeded()
    reader = Reader(lab, 15)
    plays = [started(lab, **ONE), started(lab, **TWO)]
    ends = [(play.communicate()[0], play.returncode) for play in plays]
    assert [status for _output, status in ends] == [0, 0], ends
    assert reader.seen() <= contents
    apply_and_check(lab, **TWO)
    apply_and_check(lab, **ONE)


def test_two_controllers_with_one_policy_do_the_work_once(lab):
    lab.site(**TWO).succeeded()
    plays = [started(lab, **ONE), started(lab, **ONE)]
    ends = [(play.communicate()[0], play.returncode) for play in plays]
    assert [status for _output, status in ends] == [0, 0], ends
    assert lab.site(**ONE).succeeded().changed == {}
