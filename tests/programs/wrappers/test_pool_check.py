# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""pool-check corrects the numbers of the memory pool soon after the end of the process that changed them."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator

import pytest

from .bench import COMPILE, HOLD, Bench
from .host import ACCOUNTS, ALL_SLOTS, FREE, GUARD, LIBC, SLOTS, TOTAL, TURN, Host, eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be several users")

GETPID, GETALL, SETVAL, RMID = 11, 13, 16, 0
AGENT, VICTIM = 54001, 54002
HELD = ACCOUNTS + 8000  # the first place for permits of processes
WITH_UNDO = "010000"


def as_agent(host: Host, perl: str) -> subprocess.Popen[str]:
    """Run perl as an account that may use the pool; `$s` is the pool's set."""
    user = ["setpriv", f"--reuid={AGENT}", f"--regid={AGENT}", "--clear-groups", "--"]
    return host.start(*user, "perl", "-e", f"my $s = {host.set}; $| = 1; {perl}", cwd=host.root)


def attack(host: Host, perl: str) -> None:
    process = as_agent(host, perl)
    _, said = process.communicate(timeout=GUARD)
    assert (process.returncode, said) == (0, "")


def check(host: Host) -> str:
    words = [host.libexec / "pool-check", host.pool, "0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=GUARD)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def is_consistent(bench: Bench) -> bool:
    value = bench.host.value
    return value(TOTAL) == value(FREE) + sum(value(HELD + place) for place in range(8000))


@pytest.fixture
def attacked(shared: Bench) -> Iterator[Bench]:
    """A host with memory for one process. One process holds it, and another one waits."""
    shared.hold(user=VICTIM)
    shared.start(name="waits", user=54003)
    eventually(lambda: shared.waiting(FREE) == 1)
    yield shared


# Each changes the pool in a way that the kernel does not undo.
ATTACKS = {
    "the turn": f"semctl $s, {TURN}, 16, 0",
    "too many turns": f"semctl $s, {TURN}, 16, 9",
    "all memory, set": f"semctl $s, {FREE}, 16, 0",
    "all memory, taken without undo": f"semop $s, pack q(s!*), {FREE}, -64, 0",
    "more memory than there is": f"semctl $s, {FREE}, 16, 30000",
    "the size": f"semctl $s, {TOTAL}, 16, 1",
    "a larger size": f"semctl $s, {TOTAL}, 16, 30000",
    "a place that looks held": f"semop $s, pack q(s!*), {HELD + 5}, 64, 0; semctl $s, {FREE}, 16, 0",
    "all slots": f"semctl $s, {SLOTS}, 16, 0",
    "the number of slots": f"semctl $s, {ALL_SLOTS}, 16, 0",
    "an account's turn": f"semctl $s, {ACCOUNTS + VICTIM % 8000}, 16, 0",
    "everything": "semctl $s, 0, 17, pack q(S*), (0) x 24006 or die",
    "everything, to the largest number": "semctl $s, 0, 17, pack q(S*), (32767) x 24006 or die",
}


@pytest.mark.parametrize("perl", ATTACKS.values(), ids=ATTACKS.keys())
def test_numbers_set_by_an_agent_are_corrected_after_its_end(shared: Bench, perl: str) -> None:
    attack(shared.host, perl)
    assert check(shared.host).startswith("pool-check: ")
    assert shared.is_whole() and is_consistent(shared) and check(shared.host) == ""
    assert (shared.host.value(TOTAL), shared.host.value(ALL_SLOTS)) == (64, 300)
    shared.start(user=VICTIM)
    assert shared.finish() == [0]


@pytest.mark.parametrize("attack_on", ["all memory, set", "the turn", "the size"])
def test_permits_are_kept_by_running_processes_and_freed_at_their_end(attacked: Bench, attack_on: str) -> None:
    attack(attacked.host, ATTACKS[attack_on])
    check(attacked.host)
    assert (attacked.host.free(), attacked.lines("started")) == (0, ["holder"])
    attacked.release()
    eventually(lambda: (check(attacked.host), len(attacked.lines("started")) == 2)[1])
    assert attacked.finish() == [0, 0] and attacked.lines("violations") == []
    check(attacked.host)
    assert attacked.is_whole() and is_consistent(attacked)


def test_healthy_pool_is_not_changed(attacked: Bench) -> None:
    assert check(attacked.host) == "" and is_consistent(attacked)
    os.kill(attacked.hold_process("holder"), signal.SIGKILL)
    eventually(lambda: len(attacked.lines("started")) == 2)
    attacked.finish()
    eventually(attacked.is_whole)
    assert check(attacked.host) == "" and is_consistent(attacked)


@pytest.mark.parametrize(
    "perl",
    [
        f"semctl $s, {TURN}, 16, 0",
        f"semop $s, pack q(s!*), {TURN}, -1, {WITH_UNDO}",
        f"semop $s, pack q(s!*), {TURN}, -1, {WITH_UNDO}; kill STOP => $$",
        # Waits for more memory than the pool has.
        f"semop $s, pack q(s!*), {TURN}, -1, {WITH_UNDO}; print qq(has it\\n); semop $s, pack q(s!*), {FREE}, -30000, 0",
    ],
)
def test_running_process_blocks_the_queue_for_at_most_a_minute(shared: Bench, perl: str) -> None:
    with as_agent(shared.host, f"{perl}; print qq(has it\\n); sleep 1000") as attacker:
        try:
            eventually(lambda: shared.host.value(TURN) == 0)
            if "STOP" in perl:
                eventually(lambda: is_stopped(attacker.pid))
            elif "-30000" in perl:
                eventually(lambda: shared.waiting(FREE) == 1)
            shared.start(user=VICTIM)
            eventually(lambda: shared.waiting(TURN) == 1)
            said = check(shared.host)
            assert f"process {attacker.pid}" in said
            assert shared.finish() == [0]
        finally:
            attacker.kill()


def is_stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(") ")[2].startswith("T")


def test_stopped_head_of_the_queue_loses_its_turn(attacked: Bench) -> None:
    """Like Ctrl-Z. When it continues, it takes memory in order, and nothing is counted twice."""
    head = int(LIBC.semctl(attacked.host.set, TURN, GETPID))
    os.kill(head, signal.SIGSTOP)
    eventually(lambda: attacked.waiting(FREE) == 0)
    attacked.start(name="next", user=VICTIM)
    eventually(lambda: attacked.waiting(TURN) == 1)
    check(attacked.host)
    attacked.release()
    eventually(lambda: "next" in attacked.lines("started"))
    os.kill(head, signal.SIGCONT)
    assert attacked.finish() == [0, 0, 0] and attacked.lines("violations") == []
    check(attacked.host)
    assert attacked.is_whole() and is_consistent(attacked)


def test_process_that_waits_for_more_than_the_pool_takes_all_of_it_once_the_size_is_corrected(attacked: Bench) -> None:
    attack(attacked.host, ATTACKS["a larger size"])
    attacked.start(name="all", user=VICTIM, NOVA_CARGO_LIMIT_AS="unlimited")
    eventually(lambda: attacked.waiting(TURN) == 1)
    attacked.release()
    eventually(lambda: attacked.waiting(FREE) == 1 and len(attacked.lines("started")) == 2)
    head = int(LIBC.semctl(attacked.host.set, TURN, GETPID))
    check(attacked.host)
    for number in (signal.SIGSTOP, signal.SIGCONT):  # interrupts the wait, instead of its next message
        os.kill(head, number)
    assert attacked.finish() == [0, 0, 0]
    assert attacked.lines("started")[-1] == "all"


def test_head_that_waits_for_memory_keeps_its_turn(attacked: Bench) -> None:
    assert check(attacked.host) == "" and attacked.host.value(TURN) == 0


def test_turn_of_an_account_taken_by_another_account_is_returned(shared: Bench) -> None:
    with as_agent(shared.host, f"semctl $s, {ACCOUNTS + VICTIM % 8000}, 16, 0; sleep 1000") as attacker:
        eventually(lambda: shared.host.value(ACCOUNTS + VICTIM % 8000) == 0)
        check(shared.host)
        assert shared.host.value(ACCOUNTS + VICTIM % 8000) == 1
        attacker.kill()


def test_agent_cannot_remove_the_pool(shared: Bench) -> None:
    attack(shared.host, f"semctl $s, 0, {RMID}, 0 and die")
    rights = "my $b = q(); semctl $s, 0, 2, $b or die 1; substr($b, 20, 4) = pack q(L), 0777"
    attack(shared.host, f"{rights}; semctl $s, 0, 1, $b and die 2")  # IPC_STAT, IPC_SET
    assert shared.is_whole()


def test_size_follows_the_policy_after_an_attack(shared: Bench) -> None:
    """The reload of the unit first runs pool-check."""
    attack(shared.host, ATTACKS["a larger size"])
    check(shared.host)
    shared.host.change_policy(POOL_BYTES=2 << 30)
    shared.host.make_pool()
    assert (shared.host.value(TOTAL), shared.host.value(FREE), check(shared.host)) == (32, 32, "")


def test_pending_reduction_of_the_pool_is_not_undone(attacked: Bench) -> None:
    attacked.host.change_policy(POOL_BYTES=2 << 30)
    attacked.host.make_pool()
    eventually(lambda: attacked.waiting(FREE) + attacked.waiting(TURN) == 2)
    assert check(attacked.host) == ""
    attacked.release()
    attacked.finish()
    eventually(lambda: attacked.host.value(TOTAL) == 32)
    eventually(lambda: attacked.host.pool.read_text().split()[5] == "32" and attacked.host.value(TURN) == 1)
    assert check(attacked.host) == ""


def test_size_changed_during_the_check_is_kept(shared: Bench) -> None:
    """STAND-IN for memory-pool, which changes the size before it writes the file: a FIFO with the text before."""
    before = shared.host.pool.read_text()
    shared.host.change_policy(POOL_BYTES=2 << 30)
    shared.host.make_pool()
    fifo = shared.host.root / "fifo"
    os.mkfifo(fifo)
    checking = shared.host.start(shared.host.libexec / "pool-check", fifo, "0")
    with fifo.open("w") as file:  # it has opened the FIFO, too
        fifo.unlink()
        fifo.symlink_to(shared.host.pool)
        file.write(before)
    assert checking.communicate(timeout=GUARD) == ("", "")
    assert (shared.host.value(TOTAL), shared.host.value(FREE)) == (32, 32)


def test_place_used_by_another_process_is_skipped(shared: Bench) -> None:
    attack(shared.host, f"$_ == {HELD + 7} or semctl $s, $_, 16, 1 for {HELD} .. {HELD + 7999}")
    shared.hold()
    assert shared.host.value(HELD + 7) == 64
    check(shared.host)
    assert is_consistent(shared) and shared.host.free() == 0


def test_process_in_a_separate_pid_namespace_is_recognized(shared: Bench) -> None:
    """As in sandboxes of agents: the process has another pid there."""
    shared.start(HOLD, "inside", do=f"unshare --pid --fork --mount-proc bash -c {shlex.quote(COMPILE)}")
    shared.hold_process("inside")
    assert (shared.host.free(), check(shared.host)) == (0, "")


def test_pool_of_an_earlier_version_is_not_changed(shared: Bench) -> None:
    old = shared.host.set
    number, unit, _accounts, *rest = shared.host.pool.read_text().split()
    shared.host.pool.write_text(" ".join([number, unit, "30000", *rest[:2]]) + "\n")
    assert check(shared.host) == ""
    shared.host.make_pool()
    assert shared.host.set != old and LIBC.semctl(old, TOTAL, 12) == 64
    LIBC.semctl(old, 0, RMID)
    shared.start(user=0)
    assert shared.finish() == [0] and shared.is_whole()
