# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A child process that works for root: it ends in time, and the account whose rights it uses can't influence it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host import child
from ansible_collections.nova.agent_host.plugins.module_utils.host.child import ChildError, Rights, acting_as, answers

AGENT = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take the rights of others")


def test_answers_arrive_one_by_one_and_no_descriptor_is_inherited():
    def work():
        yield {"name": os.fsdecode(b"\xff"), "open": len(os.listdir("/proc/self/fd"))}
        yield resource.getrlimit(resource.RLIMIT_CORE)

    with open(os.devnull) as opened:
        assert opened.fileno() > 2
        assert list(answers(work, total=600)) == [{"name": "\udcff", "open": 5}, [0, 0]]


def test_failure_is_reported_and_a_missing_answer_is_none(monkeypatch):
    with pytest.raises(ChildError, match="No such file"):
        child.answer(lambda: os.stat("/nonexistent"), seconds=600)
    with pytest.raises(ChildError, match="no such thing"):
        child.answer(lambda: {}["no such thing"], seconds=600)
    with pytest.raises(ChildError, match="without an answer"):
        child.answer(lambda: os._exit(0), seconds=600)
    monkeypatch.setattr(child, "MOST_BYTES", 1000)
    with pytest.raises(ChildError, match="more than 1,000 bytes"):
        child.answer(lambda: "x" * 1001, seconds=600)


def test_child_that_does_not_end_is_killed(tmp_path):
    def work():
        yield os.getpid()
        time.sleep(3600)

    def children():
        return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()

    before = children()
    with pytest.raises(ChildError, match="did not end"):
        list(answers(work, total=0.3))
    with pytest.raises(ChildError, match=r"did not end within 0\.2 s"):
        list(answers(work, total=3600, silence=0.2))
    assert children() == before


def test_long_answer_does_not_shorten_the_next(monkeypatch):
    monkeypatch.setattr(child, "MOST_BYTES", 1000)
    assert len(list(answers(lambda: iter(["x" * 900] * 5), total=600))) == 5


def test_each_item_fails_separately():
    def work(item: str) -> str:
        if item == "hangs":
            time.sleep(3600)
        if item == "dies":
            os._exit(0)
        return item

    results = child.each(["a", "hangs", "dies", "b"], work, lambda item, _why: f"{item}!", silence=3, total=600)
    assert results == ["a", "hangs!", "dies!", "b"]
    assert child.each(["a", "b"], work, lambda item, _why: f"{item}!", silence=1, total=0) == ["a!", "b!"]


def test_hanging_items_leave_time_for_others(monkeypatch):
    """An agent has many paths that never answer, and they are the first ones."""
    timeouts = []

    def fake_answers(work, *, total, silence):
        timeouts.append(silence)
        for item in work():
            if item == "hangs":
                raise child.SilentError("did not end")
            yield item

    monkeypatch.setattr(child, "answers", fake_answers)
    results = child.each([*["hangs"] * 7, "a"], lambda item: item, lambda item, _why: f"{item}!", silence=8, total=3600)
    assert results == [*["hangs!"] * 7, "a"]
    assert timeouts == [8, 4, 2, 1, 0.5, 0.25, 0.25, 0.25]


@as_root
def test_files_are_used_only_with_the_given_rights(tmp_path):
    secret, own = tmp_path / "secret", tmp_path / "own"
    secret.write_text("root's")
    secret.chmod(0o600)
    own.mkdir()
    os.chown(own, AGENT, AGENT)
    tmp_path.chmod(0o755)

    def work():
        folder = os.open(tmp_path, os.O_RDONLY)
        with acting_as(Rights.of(AGENT)):
            os.mkdir("own/new", dir_fd=folder)
            try:
                os.open("secret", os.O_RDONLY, dir_fd=folder)
            except PermissionError:
                return "refused"
        return "opened"

    assert child.answer(work, seconds=600) == "refused"
    assert (own / "new").stat().st_uid == AGENT
    assert os.geteuid() == 0


ATTACK = f"""
import ctypes, os, signal, sys
os.setgroups([]); os.setgid({AGENT}); os.setuid({AGENT})
pid, libc, done = int(sys.argv[1]), ctypes.CDLL(None, use_errno=True), []
for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGCONT):
    try:
        os.kill(pid, number)
        done.append(number.name)
    except PermissionError:
        pass
if libc.ptrace(16, pid, 0, 0) == 0:
    done.append("ptrace")
limit = (ctypes.c_uint64 * 2)(0, 0)
if libc.prlimit(pid, 7, limit, None) == 0:
    done.append("prlimit")
for name in ("mem", "fd", "environ"):
    try:
        os.close(os.open(f"/proc/{{pid}}/{{name}}", os.O_RDONLY))
        done.append(name)
    except PermissionError:
        pass
print(",".join(done))
"""


@as_root
def test_account_cannot_stop_trace_limit_or_read_the_child():
    def work():
        with acting_as(Rights.of(AGENT)):
            yield os.getpid()
            signal.sigtimedwait([signal.SIGUSR1], 60)
            yield "continued"

    running = answers(work, total=60)
    pid = next(running)
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        uids = next(line for line in file if line.startswith("Uid:")).split()
    assert uids[1:] == ["0", str(AGENT), "0", str(AGENT)]
    done = subprocess.run([sys.executable, "-c", ATTACK, str(pid)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    running.close()
