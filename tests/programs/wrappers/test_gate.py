# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The gate of each process that uses memory: the sum of permits never exceeds the pool, also if processes are killed."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bench import COMPILE, HOLD, REFUSED, Bench, Process, bench, pool
from .conftest import CHMOD
from .host import ACCOUNTS, FREE, GIB, GUARD, LIBC, SLOTS, TOTAL, TURN, Host, eventually, program, render, tree

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be several users")

# ---- the sum ----


def test_sum_of_permits_never_exceeds_the_pool_if_commands_are_killed(four: Bench) -> None:
    chance = random.Random(7)
    three = f"for i in 1 2 3; do {COMPILE} & done; wait"
    for number in range(300):
        cap = chance.choice(["1G", "2G", "3G", "4G", "8G"])
        four.start("sleep 0.02", str(number), do=three if number % 5 == 0 else COMPILE, NOVA_CARGO_LIMIT_AS=cap)
        if (
            number % 3 == 0
        ):  # of an earlier command any process: supervisor, cargo, waiting or running, and who watches it
            processes = tree(chance.choice(four.processes).pid)
            if processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(processes), signal.SIGKILL)
    four.finish()
    assert four.lines("violations") == []
    assert len(four.lines("started")) >= 200
    eventually(four.is_whole)
    four.processes.clear()
    four.start(name="last")
    assert four.finish() == [0]


def test_raised_cap_takes_a_larger_permit(four: Bench) -> None:
    four.hold("small")
    assert four.host.free() == 12 * GIB
    four.hold("large", NOVA_CARGO_LIMIT_AS="8G")
    assert four.host.free() == 4 * GIB
    four.hold("tiny", NOVA_CARGO_LIMIT_AS="100M")
    assert four.host.free() == 4 * GIB - (128 << 20)  # whole units of 64 MiB


def test_process_with_a_cap_above_the_pool_takes_the_whole_pool(four: Bench) -> None:
    four.hold("all", NOVA_CARGO_LIMIT_AS="unlimited")
    assert four.host.free() == 0


def test_more_jobs_do_not_raise_the_sum_of_permits(four: Bench) -> None:
    many = f"for i in {{1..12}}; do {COMPILE} & done; wait"
    four.start(HOLD, do=many)
    eventually(lambda: four.queue() == 8)
    eventually(lambda: len(four.lines("started")) == 4)
    assert four.host.free() == 0
    four.release()
    assert four.finish() == [0]
    assert (len(four.lines("started")), four.lines("violations")) == (12, [])


def test_daemon_left_behind_holds_no_permit(one: Bench) -> None:
    one.start('setsid sleep 1000 >/dev/null 2>&1 & echo "$!" >"$TEST_ROOT/daemon"')
    assert one.finish() == [0]
    try:
        eventually(one.is_whole)
    finally:
        os.kill(int(one.lines("daemon")[0]), signal.SIGKILL)


@pytest.mark.parametrize("question", ["-vV", "- --crate-name ___ --print=file-names"])
def test_query_of_rustc_needs_no_permit(one: Bench, question: str) -> None:
    one.hold()
    asks = one.start(do=f'"$RUSTC_WRAPPER" echo {question}')
    assert asks.communicate(timeout=GUARD) == (f"{question}\n", "")


# ---- order ----


def test_waiting_processes_are_served_in_order(one: Bench) -> None:
    one.hold()
    for number in range(30):
        one.start(name=str(number))
        eventually(lambda number=number: one.queue() == number + 1)
    one.release()
    assert set(one.finish()) == {0}
    assert one.lines("started")[1:] == [str(number) for number in range(30)]


def test_large_request_is_not_overtaken_by_small_ones(four: Bench) -> None:
    four.hold()
    four.start(name="all", NOVA_CARGO_LIMIT_AS="16G")
    eventually(lambda: four.waiting(FREE) == 1)
    four.start(name="small", NOVA_CARGO_LIMIT_AS="1G")
    eventually(lambda: four.queue() == 2)
    four.release()
    four.finish()
    assert four.lines("started") == ["holder", "all", "small"]


@root_only
def test_account_waits_at_most_one_turn_of_each_other_account(shared: Bench) -> None:
    shared.hold(user=54000)
    greedy, modest = 54001, range(54002, 54007)
    for number in range(50):
        shared.start(name=f"greedy {number}", user=greedy)
    eventually(lambda: shared.queue(greedy) == 50)
    for user in modest:
        shared.start(name=f"modest {user}", user=user)
    eventually(lambda: shared.waiting(FREE) + shared.waiting(TURN) == 6)
    shared.release()
    assert set(shared.finish()) == {0}
    order = shared.lines("started")[1:]
    assert len(order) == 55
    assert {name.split()[0] for name in order[1:6]} == {
        "modest"
    }  # behind the process that was in the host's queue before


@root_only
def test_two_accounts_with_many_processes_take_turns(shared: Bench) -> None:
    shared.hold(user=54000)
    for user in (54001, 54002):
        for number in range(10):
            shared.start(name=str(user), user=user)
            eventually(lambda user=user, number=number: shared.queue(user) >= number + 1)
    eventually(lambda: shared.waiting(ACCOUNTS + 54001 % 8000) == 9 and shared.waiting(ACCOUNTS + 54002 % 8000) == 9)
    shared.release()
    assert set(shared.finish()) == {0}
    order = shared.lines("started")[1:]
    assert len(order) == 20
    # Exact turns would depend on how soon a woken process runs. Without turns, the first ten would be of one account.
    assert 3 <= order[:10].count("54001") <= 7


# ---- nested ----


@pytest.mark.parametrize(
    "inner",
    [
        COMPILE,  # as trybuild does
        'bash "$WRAPPER" build',
        f'STANDIN_DO={shlex.quote(COMPILE)} bash "$WRAPPER" build',
    ],
)
def test_children_share_the_permit_of_their_parent(one: Bench, inner: str) -> None:
    inner = f"TEST_UNIT= {inner} && echo inner"
    process = one.start(inner, WRAPPER=str(one.host.cargo_agent))
    out, err = process.communicate(timeout=GUARD)
    assert (process.returncode, out, err) == (0, "inner\n", "")


def test_build_inside_a_build_script_needs_a_permit_but_no_second_slot(tmp_path: Path) -> None:
    with bench(pool(tmp_path, 4, slots=1)) as made:
        nested = f'STANDIN_DO={shlex.quote(COMPILE)} bash "$WRAPPER" build & {COMPILE}; wait'
        process = made.start(do=nested, WRAPPER=str(made.host.cargo_agent))
        assert process.communicate(timeout=GUARD) == ("", "")
        assert (len(made.lines("started")), made.lines("violations")) == (2, [])


@pytest.mark.parametrize("lie", ["$HOLDER", "1", "x", "1;id", "a[$(id)]"])
def test_pid_of_a_holder_in_the_environment_is_verified(one: Bench, lie: str) -> None:
    holder = one.hold()
    liar = one.start(do=f'export NOVA_CARGO_PERMIT="{lie}"; {COMPILE}', name="liar", HOLDER=str(holder))
    eventually(lambda: one.queue() == 1)
    one.release()
    assert liar.communicate(timeout=GUARD) == ("", "")


def test_waiting_process_of_a_killed_command_never_starts(one: Bench) -> None:
    one.hold()
    killed = one.start(name="killed")
    eventually(lambda: one.queue() == 1)
    *others, watches, waits = tree(killed.pid)
    for process in (*others, watches):
        os.kill(process, signal.SIGKILL)
    parent = f"PPid:\t{watches}\n"
    eventually(lambda: parent not in Path(f"/proc/{waits}/status").read_text())
    one.release()
    one.finish()
    eventually(one.is_whole)
    assert one.lines("started") == ["holder"]


def test_process_that_waits_for_a_slot_never_starts_if_its_cargo_has_ended(tmp_path: Path) -> None:
    with bench(pool(tmp_path, 64, slots=1)) as made:
        made.hold()
        ended = made.start(do=f'echo "$$" >"$TEST_ROOT/cargo"; {COMPILE}')
        eventually(lambda: made.waiting(SLOTS) == 1)
        (waits,) = tree(int(made.lines("cargo")[0]))[1:]
        ended.terminate()
        assert ended.wait(timeout=GUARD) == -signal.SIGTERM
        eventually(lambda: not Path(f"/proc/{waits}").exists())
        assert made.lines("started") == ["holder"]


@pytest.mark.parametrize("count", range(5, 12))
def test_process_runs_once_if_it_may_open_few_files(one: Bench, count: int) -> None:
    unit = 'echo error >&2; echo ran >>"$TEST_ROOT/ran"'
    process = one.start(do=f'ulimit -n {count}; "$RUSTC_WRAPPER" bash -c "$TEST_UNIT" --crate-name x', unit=unit)
    assert process.communicate(timeout=GUARD) == ("", "error\n")
    assert one.lines("ran") == ["ran"]


def test_process_that_forwards_the_output_of_others_holds_nothing(one: Bench) -> None:
    """It can run for days, and agent-status reads titles."""
    one.start('sleep 1000 & echo "$!" >"$TEST_ROOT/daemon"', name="left_behind")
    daemon = int(eventually(lambda: "".join(one.lines("daemon"))))
    try:
        eventually(one.is_whole)
        one.processes[0].wait(timeout=GUARD)
        (title,) = titles("left_behind")
        assert title == "memory-gate: forwards output for rustc left_behind"
        for process in titles("left_behind").values():
            os.kill(process, signal.SIGTERM)
        eventually(lambda: not titles("left_behind"))
    finally:
        os.kill(daemon, signal.SIGKILL)


def titles(name: str) -> dict[str, int]:
    """The titles of all processes of the gate for this crate."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            title = file.read_text(errors="replace").rstrip("\0 ")
            if title.startswith("memory-gate: ") and title.endswith(name):
                found[title] = int(file.parent.name)
    return found


# ---- the pool ----


def test_larger_pool_starts_waiting_processes(one: Bench) -> None:
    one.hold()
    waiter = one.start()
    eventually(lambda: one.queue() == 1)
    one.host.change_policy(POOL_BYTES=8 * GIB)
    one.host.make_pool()
    assert waiter.communicate(timeout=GUARD) == ("", "")


def test_smaller_pool_waits_for_returned_permits(four: Bench) -> None:
    four.hold("first")
    held = four.hold("second")
    kept = four.host.set
    four.host.change_policy(POOL_BYTES=4 * GIB)
    four.host.make_pool()
    eventually(lambda: four.waiting(FREE) == 1)
    four.start(name="late")
    eventually(lambda: four.queue() == 2)
    os.kill(held, signal.SIGKILL)
    eventually(lambda: four.host.value(TOTAL) == 64 and four.host.value(FREE) == 0)
    assert four.lines("started") == ["first", "second"]
    four.release()
    four.finish()
    assert four.lines("started")[-1] == "late" and four.host.set == kept
    eventually(four.is_whole)


def test_pool_does_not_shrink_below_a_permit_that_a_process_waits_for(four: Bench) -> None:
    four.hold()
    four.start(name="all", NOVA_CARGO_LIMIT_AS="16G")
    eventually(lambda: four.waiting(FREE) == 1)
    four.host.change_policy(POOL_BYTES=8 * GIB)
    four.host.make_pool()
    four.release()
    assert four.finish() == [0, 0]
    eventually(lambda: four.host.value(TOTAL) == 8 * 16 and four.is_whole())


@pytest.mark.parametrize("gib", [2, 16])
def test_the_last_size_holds_if_it_changes_again_before_it_is_reached(four: Bench, gib: int) -> None:
    four.hold("first")
    four.hold("second")
    for size in (6, gib):
        four.host.change_policy(POOL_BYTES=size * GIB)
        four.host.make_pool()
        eventually(lambda: four.waiting(FREE) == 1 or four.host.value(TURN) == 1)
    four.release()
    four.finish()
    eventually(lambda: four.host.value(TOTAL) == 16 * gib and four.is_whole())
    eventually(lambda: four.host.pool.read_text().split()[5] == str(16 * gib))


def test_apply_without_changes_keeps_the_pool(four: Bench) -> None:
    four.hold()
    kept = four.host.set, four.host.free()
    four.host.make_pool()
    assert (four.host.set, four.host.free()) == kept


def test_pool_is_created_again_after_a_reboot(one: Bench) -> None:
    LIBC.semctl(one.host.set, 0, 0)  # IPC_RMID
    assert one.start().communicate(timeout=GUARD) == ("", "")  # until then no process waits
    one.host.make_pool()
    assert one.is_whole()


def test_waiting_process_continues_if_the_pool_is_removed(one: Bench) -> None:
    one.hold()
    waiters = [one.start(name=str(number)) for number in range(3)]
    eventually(lambda: one.queue() == 3)
    subprocess.run([one.host.libexec / "memory-pool", one.host.policy, "--remove"], check=True, timeout=GUARD)
    assert [waiter.communicate(timeout=GUARD)[1] for waiter in waiters] == ["", "", ""]
    assert not one.host.pool.exists()


def test_agent_cannot_replace_the_pool(one: Bench) -> None:
    assert one.host.pool.stat().st_mode & 0o777 == 0o644


@root_only
def test_account_that_may_not_use_the_pool_does_not_wait(shared: Bench) -> None:
    """Its first attempt fails in the child process, without a permit."""
    subprocess.run(["perl", "-e", CHMOD.replace("0666", "0664"), str(shared.host.set)], check=True, timeout=GUARD)
    stranger = shared.start(user=54001)
    assert (stranger.communicate(timeout=GUARD), stranger.returncode) == (("", ""), 0)
    assert shared.lines("started") == ["x"]
    failed = shared.start(REFUSED, "serde", user=54001)
    assert failed.communicate(timeout=GUARD)[1].splitlines()[-1].startswith("cargo_agent: rustc serde said ")


# ---- memory of other programs ----


def test_one_process_at_a_time_runs_if_the_host_is_short_of_memory(tmp_path: Path) -> None:
    host = render(tmp_path, pool_bytes=16 * GIB, low_memory=1 << 60, slots=9)
    with bench(host) as made:
        made.hold()
        waiter = made.start(name="second")
        eventually(lambda: made.host.value(TURN) == 0)  # the head of the queue
        assert (made.lines("started"), made.host.free()) == (["holder"], 12 * GIB)
        made.release()
        assert waiter.communicate(timeout=GUARD) == ("", "")


@root_only
def test_process_waits_if_the_host_is_under_pressure_also_in_an_empty_queue(tmp_path: Path) -> None:
    """A STAND-IN for the kernel's file: all processes wait for memory half of the time."""
    pressure = tmp_path / "pressure"
    pressure.write_text("some avg10=60.00\nfull avg10=50.00 avg60=0.00\n")
    with bench(render(tmp_path, pool_bytes=16 * GIB, low_memory=1, slots=9)) as made:
        made.hold()
        command = f"mount --bind {pressure} /proc/pressure/memory && exec bash {made.host.cargo_agent} build"
        env = {**made.env, "TEST_NAME": "second", "TEST_UNIT": "", "STANDIN_DO": COMPILE}
        second = made.host.start("unshare", "--mount", "bash", "-c", command, **env)
        made.processes.append(second)
        eventually(lambda: made.host.value(TURN) == 0 or second.poll() is not None)
        assert made.lines("started") == ["holder"]
        pressure.write_text("some avg10=60.00\nfull avg10=9.00 avg60=50.00\n")
        assert second.communicate(timeout=GUARD) == ("", "")
        assert made.lines("started") == ["holder", "second"]


# ---- slots ----


@pytest.fixture
def two_slots(tmp_path: Path) -> Iterator[Bench]:
    with bench(pool(tmp_path, 64, slots=2)) as made:
        yield made


def test_number_of_compiling_commands_is_limited_by_the_slots(two_slots: Bench) -> None:
    two_slots.hold("first")
    two_slots.hold("second")
    for number in range(5):
        two_slots.start(name=str(number))
    eventually(lambda: two_slots.waiting(SLOTS) == 5)
    assert two_slots.lines("started") == ["first", "second"]
    two_slots.release()
    assert set(two_slots.finish()) == {0}
    eventually(two_slots.is_whole)


def test_command_that_compiles_nothing_takes_no_slot(two_slots: Bench) -> None:
    """Like a cargo that waits for the lock of its folder, a `watch` and a server."""
    for name in ("first", "second", "third"):
        two_slots.start(do=f"{COMPILE}; {HOLD}", name=name)
        eventually((two_slots.host.root / f"holding.{name}").exists)
    eventually(two_slots.is_whole)
    assert two_slots.start().communicate(timeout=GUARD) == ("", "")


def test_fewer_slots_can_be_requested(two_slots: Bench) -> None:
    two_slots.hold()
    modest = two_slots.start(name="modest", NOVA_CARGO_SLOTS="1")
    eventually(lambda: two_slots.waiting(SLOTS) == 1)
    assert two_slots.start().communicate(timeout=GUARD) == ("", "")
    two_slots.release()
    assert modest.communicate(timeout=GUARD) == ("", "")
    eventually(two_slots.is_whole)


def test_more_slots_than_on_the_host_are_reduced_with_one_message(two_slots: Bench) -> None:
    assert two_slots.start(NOVA_CARGO_SLOTS="50").communicate(timeout=GUARD)[1] == (
        "cargo_agent: NOVA_CARGO_SLOTS is 50, but this host has 2 slots: 2 applies\n"
    )


def test_killed_command_returns_its_slot(two_slots: Bench) -> None:
    two_slots.hold("first")
    two_slots.hold("second", NOVA_CARGO_SLOTS="2")
    waiter = two_slots.start()
    eventually(lambda: two_slots.waiting(SLOTS) == 1)
    two_slots.processes[0].kill()
    assert waiter.communicate(timeout=GUARD) == ("", "")


def test_killed_gate_of_a_command_that_goes_on_returns_its_slot(tmp_path: Path) -> None:
    """A `watch` or a test runner kills the processes of one round."""
    with bench(pool(tmp_path, 64, slots=1, idle_seconds=3)) as made:
        made.start(f'echo "$PPID" >"$TEST_ROOT/gate"; {HOLD}', do=f"({COMPILE}); {HOLD}")
        os.kill(int(eventually(lambda: "".join(made.lines("gate")))), signal.SIGKILL)
        eventually(lambda: made.host.value(SLOTS) == 1)
        assert made.processes[0].poll() is None


def test_slot_of_a_gate_that_was_killed_in_the_queue_is_returned(two_slots: Bench) -> None:
    two_slots.hold("first")
    two_slots.hold("second")
    two_slots.start(do=f'{COMPILE.split(" ||")[0]} & echo "$!" >"$TEST_ROOT/gate"; wait; {HOLD}', name="watches")
    eventually(lambda: two_slots.waiting(SLOTS) == 1)
    os.kill(int(two_slots.lines("gate")[0]), signal.SIGKILL)
    two_slots.processes[0].kill()
    eventually(lambda: two_slots.waiting(SLOTS) == 0)
    assert two_slots.start().communicate(timeout=GUARD) == ("", "")
    assert two_slots.processes[2].poll() is None


def test_changed_number_of_slots_applies_to_waiting_commands(two_slots: Bench) -> None:
    two_slots.hold("first")
    two_slots.hold("second")
    waiter = two_slots.start()
    eventually(lambda: two_slots.waiting(SLOTS) == 1)
    two_slots.host.change_policy(SLOTS=3)
    two_slots.host.make_pool()
    assert waiter.communicate(timeout=GUARD) == ("", "")


# The stand-in for cargo plays a gate, with these files of its supervisor.
FILES = """read -r _ _ _ _ _ supervisor ask grant <<<"$NOVA_CARGO_GATE"
exec 7>"/proc/$supervisor/fd/$ask" 8<"/proc/$supervisor/fd/$grant"
wait_for() { until grep -q "$1" "/proc/$supervisor/cmdline"; do sleep 0.02; done; }
echo "+ $$" >&7
wait_for 'holds a slot'
"""
# It does not read its byte yet. Meanwhile a real gate starts and ends, while the supervisor does not run, as on a busy host.
SHORT_GATE = """kill -STOP "$supervisor"
"$RUSTC_WRAPPER" true --crate-name short --crate-type lib
kill -CONT "$supervisor"
read -rN 1 byte <&8
[[ $byte == g ]]
exit
"""


def test_process_that_ends_before_its_start_is_seen_stops_no_other(one: Bench) -> None:
    one.start(do=FILES + SHORT_GATE)
    assert one.finish() == [0]
    eventually(one.is_whole)


def test_unused_byte_starts_no_later_process(one: Bench) -> None:
    one.start(do=FILES + """echo "- $$" >&7; wait_for ': runs'; ! read -rt 0 <&8; exit""")
    assert one.finish() == [0]


def test_running_command_keeps_its_programs_if_an_apply_replaces_them(one: Bench) -> None:
    began, go = one.host.root / "began", one.host.root / "go"
    process = one.start(REFUSED, "large", do=f'touch "{began}"; until [[ -e "{go}" ]]; do sleep 0.02; done; {COMPILE}')
    eventually(began.exists)
    for file in one.host.libexec.glob("cargo?command*"):
        replacement = file.with_suffix(".new")
        program(replacement, "#!/bin/false\n")
        replacement.rename(file)
    go.touch()
    assert "rustc large" in process.communicate(timeout=GUARD)[1].splitlines()[-1]
    assert process.returncode == 134


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signal_ends_a_waiting_command_and_its_cargo(one: Bench, number: signal.Signals) -> None:
    one.hold()
    process = one.start(do=f"trap - {int(number)}; exec {COMPILE}")
    eventually(lambda: one.queue() == 1)
    process.send_signal(number)
    assert process.wait(timeout=GUARD) == -number
    eventually(lambda: one.queue() == 0)


@pytest.mark.parametrize("name", ["HUP", "PIPE", "TERM"])
def test_ignored_signal_stays_ignored(one: Bench, name: str) -> None:
    """As under nohup."""
    unit = f'"$RUSTC_WRAPPER" bash -c "kill -{name} \\$\\$; echo lives" --crate-name x'
    started = f"trap '' {name}; exec bash '{one.host.cargo_agent}' build"
    assert one.host.shell(started, STANDIN_DO=unit).out == "lives\n"
    assert one.host.shell(started.partition("; ")[2], STANDIN_DO=unit).out == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_files_are_replaced_by_dev_null(one: Bench, closed: str) -> None:
    """cargo would read a script as its input, and write its messages into a pipe of cargo-command."""
    do = f'for n in 0 1 2; do readlink /proc/$$/fd/$n >>"$TEST_ROOT/files"; done; {COMPILE}'
    command = f"exec bash '{one.host.cargo_agent}' build {closed}"
    assert one.host.shell(command, **one.env, TEST_NAME="x", TEST_UNIT="", STANDIN_DO=do).status == 0
    for number, (file, mode) in enumerate(zip(one.lines("files"), ["<&-", ">&-", "2>&-"], strict=True)):
        if mode in closed.split():
            # bash itself keeps its script as stderr, open for reading only.
            assert file == "/dev/null" or (number == 2 and file == str(one.host.cargo_agent))
    assert one.lines("started") == ["x"]


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "99999999999999999999", "a[$(touch injected)]", " 1", "08"])
def test_invalid_number_is_refused(shared_host: Host, text: str) -> None:
    for name in ("NOVA_CARGO_SLOTS", "NOVA_CARGO_JOBS", "NOVA_RUST_TEST_THREADS", "NOVA_CARGO_NPROC"):
        result = shared_host.cargo("test", "-p", "x", **{name: text})
        assert (result.status, result.ran, len(result.lines)) == (2, False, 1)
        assert result.err == f"cargo_agent: {name} is '{text}'; write a whole number from 1 to 9999\n"
    assert not (shared_host.checkout / "injected").exists()


# ---- messages ----

# Calls the function that a waiting process calls after 20 s.
REPORT_WAIT = """
our ($set, $unit, $accounts) = (split(/ /, `cat $ARGV[0]`))[0 .. 2];
our ($NOWAIT, $UNDO, $GETVAL, $FREE, $TOTAL, $TURN, $SERVED, $ACCOUNT) = (04000, 010000, 12, 0, 1, 2, 5, 6);
our ($units, $label, $to_supervisor) = (64, "rustc serde", *STDOUT);
open my $gate, "<", $ARGV[1];
{ local $/; <$gate> =~ /^__END__$(.*)/ms and eval "$1; 1" or die $@ }
sub load { my $function = shift; &$function }
our ($position, $served, $report_at, $since) = (@ARGV[2, 3], 0, time);
$^T -= 1000;  # it waited for a slot before
report_wait($ARGV[4]);
"""


def told(bench: Bench, position: int, served: int = 0, why: str = "") -> str:
    words = ["perl", "-e", REPORT_WAIT, bench.host.pool, bench.host.libexec / "memory-gate", position, served, why]
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True, timeout=GUARD).stdout


def test_waiting_message_names_request_position_and_holder_of_the_turn(one: Bench) -> None:
    one.hold()
    one.start(name="head")
    eventually(lambda: one.waiting(FREE) == 1)
    line = told(one, 3)
    assert re.match("w waiting for [0-9]{1,2} s ", line)  # for memory only
    assert " s for 4G of memory for rustc serde, place 3 in the host's queue, behind process " in line
    assert (
        line.endswith(" of root; 0M of 4G are free. agent-status shows which processes hold the rest\n")
        or "0G of 4G" in line
    )
    assert "after other processes of your own account" in told(one, 0)
    assert ", because the host is short of memory; " in told(one, 1, why=", because the host is short of memory")


def test_position_in_the_queue_counts_served_processes(one: Bench) -> None:
    LIBC.semctl(one.host.set, 5, 16, 32767)  # SETVAL: the counter is about to start again
    one.hold()
    one.start(name="second")
    eventually(lambda: one.waiting(FREE) == 1)
    one.release()
    one.finish()
    assert one.host.value(5) == 2767
    assert "place 2 in" in told(one, 3, 32767) or one.host.value(5) == 2767


def test_waiting_processes_print_one_line_a_minute_together(one: Bench) -> None:
    speak = 'set -- $NOVA_CARGO_GATE; for i in 1 2 3; do echo "w line $i" >>"/proc/$6/fd/$7"; done'
    process = one.start(do=speak)
    assert process.communicate(timeout=GUARD)[1] == "cargo_agent: line 1\n"


def closing(process: Process) -> list[str]:
    """The last line of a failed command."""
    _, err = process.communicate(timeout=GUARD)
    assert process.returncode != 0
    return [line for line in err.splitlines() if line.startswith("cargo_agent: ")]


def test_last_line_names_process_cap_and_variable(one: Bench) -> None:
    process = one.start(REFUSED, name="serde")
    (line,) = closing(process)
    assert process.returncode == 134
    for part in ("rustc serde", "memory allocation of 5 bytes failed", "cap of 4G", "NOVA_CARGO_LIMIT_AS=8G"):
        assert part in line


@pytest.mark.parametrize(
    "unit",
    [
        "exit 1",
        'kill -TERM "$$"',
        'kill -KILL "$$"',
        'kill -ABRT "$$"',
        "echo 'error: rustc interrupted by SIGSEGV, printing backtrace' >&2; kill -SEGV $$",
        "echo 'error: linking with `cc` failed: collect2: fatal error: ld terminated with signal 9 [Killed]' >&2; exit 1",
        "echo 'undefined reference to `typeinfo for std::bad_alloc'\\''; undefined symbol: std::bad_alloc::~bad_alloc()' >&2; exit 1",
        'echo \'error: linking with `cc` failed: "cc" "/tmp/out of memory/a.o"; ld: /tmp/out of memory/a.o: undefined\' >&2; exit 1',
        # A target without std, and code that is not no_std.
        "echo 'can'\\''t find crate for `std`; the `thumbv7em-none-eabihf` target may not support the standard library' >&2; exit 1",
    ],
)
def test_no_last_line_if_the_cap_was_not_the_reason(one: Bench, unit: str) -> None:
    assert closing(one.start(unit)) == []


# A STAND-IN for what rustdoc prints of a doc test that failed.
DOC_TEST = """
printf '#!/bin/sh\\necho "Test executable failed (%s).\\n\\nstderr:\\n%s"; exit 101\\n' "$TEST_ENDED" "$TEST_SAID" >rustdoc
chmod +x rustdoc; export NOVA_CARGO_RUSTDOC=$PWD/rustdoc
"$RUSTDOC" --test --crate-name serde 2>&1 | cat; exit 101
"""


@pytest.mark.parametrize(
    ("ended", "said", "told"),
    [
        ("exit status: 101", "panicked: out of memory", []),
        ("exit status: 101", "panicked: memory allocation of 5 bytes failed", []),
        ("signal: 6 (SIGABRT)", "memory allocation of 5 bytes failed", ["rustdoc test serde"]),
        ("terminated by signal", "memory allocation of 5 bytes failed", ["rustdoc test serde"]),
    ],
)
def test_the_words_of_a_doc_test_are_no_proof(one: Bench, ended: str, said: str, told: list[str]) -> None:
    process = one.start(do=DOC_TEST, words="test -p serde", TEST_ENDED=ended, TEST_SAID=said)
    assert [name for name in ["rustdoc test serde"] if name in str(closing(process))] == told
