# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The host's slots: at most N, first come, first served, whatever dies on the way."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .host import GUARD, ROLE, Host, eventually, program, render

Process = subprocess.Popen[str]

# Each command takes a token that dies with it: a command that finds none runs beside too many others.
TAKE_TOKEN = """
exec {idle}<>"$TEST_ROOT/idle"
for ((i = 1; i <= TEST_SLOTS; i++)); do
  exec {token}<>"$TEST_ROOT/token.$i"
  flock -n "$token" && break
  exec {token}<&-
  token=
done
[[ $token ]] || echo "$$" >>"$TEST_ROOT/violations"
echo "$TEST_NAME" >>"$TEST_ROOT/started"
read -rt "$TEST_SECONDS" -u "$idle"
"""
# Runs until the test removes the file `hold`.
HOLD = 'echo "$$" >"$TEST_ROOT/holding.$TEST_NAME"; while [[ -e $TEST_ROOT/hold ]]; do sleep 0.02; done'


class Bench:
    """A host and the commands that a test has started on it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.processes: list[Process] = []
        os.mkfifo(host.root / "idle")
        (host.root / "hold").touch()

    def start(
        self, do: str = "", name: str = "x", seconds: float = 0.02, process_group: int | None = None, **env: str
    ) -> Process:
        own = {
            "TEST_ROOT": str(self.host.root),
            "TEST_SLOTS": str(self.host.slots),
            "TEST_NAME": name,
            "TEST_SECONDS": str(seconds),
        }
        words = ("bash", self.host.cargo_agent, "build")
        process = self.host.start(*words, process_group=process_group, STANDIN_DO=do, **own, **env)
        self.processes.append(process)
        return process

    def hold(self, name: str = "holder") -> tuple[Process, int]:
        """Start a command that keeps its slot until `release`; give the wrapper and the command's process id."""
        process = self.start(HOLD, name)
        note = self.host.root / f"holding.{name}"
        return process, int(eventually(lambda: note.exists() and note.read_text()))

    def release(self) -> None:
        (self.host.root / "hold").unlink()

    def blocked(self) -> set[int]:
        """The processes that are blocked on the turn or on a slot."""
        inodes = {file.stat().st_ino for file in self.host.slot_folder.iterdir()}
        waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
        return {int(fields[5]) for fields in waiting if int(fields[6].rpartition(":")[2]) in inodes}

    def queue(self) -> int:
        return len(self.blocked())

    def queues(self, process: Process) -> bool:
        """Whether this one has come to the queue: its flock is blocked."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return not self.blocked().isdisjoint(map(int, children.read_text().split()))

    def lines(self, name: str) -> list[str]:
        file = self.host.root / name
        return file.read_text().splitlines() if file.exists() else []

    def finish(self) -> list[int]:
        for process in self.processes:
            process.communicate(timeout=GUARD)
        return [process.returncode for process in self.processes]


@contextlib.contextmanager
def bench(host: Host) -> Iterator[Bench]:
    made = Bench(host)
    try:
        yield made
    finally:
        (host.root / "hold").unlink(missing_ok=True)
        for process in made.processes:
            process.kill()
            process.communicate(timeout=GUARD)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Bench]:
    with bench(render(tmp_path, slots=2)) as made:
        yield made


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Bench]:
    with bench(render(tmp_path, slots=1)) as made:
        yield made


def test_at_most_n_run_at_once(two: Bench) -> None:
    for _ in range(40):
        two.start(TAKE_TOKEN)
    assert set(two.finish()) == {0}
    assert (len(two.lines("started")), two.lines("violations")) == (40, [])


def test_at_most_n_run_at_once_whatever_is_killed(two: Bench) -> None:
    chance = random.Random(7)
    for _ in range(60):
        two.start(TAKE_TOKEN)
    for victim in chance.sample(two.processes, 15):
        count = chance.randrange(20)
        eventually(lambda count=count: len(two.lines("started")) >= count)
        if chance.random() < 0.5:
            victim.kill()  # a wrapper, waiting or running
        else:  # a command
            children = Path(f"/proc/{victim.pid}/task/{victim.pid}/children")
            for child in children.read_text().split() if children.exists() else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
    two.finish()
    assert two.lines("violations") == []
    two.processes.clear()
    two.start(TAKE_TOKEN, "last")
    assert two.finish() == [0]


def test_three_hundred_wait_and_are_served_in_order(one: Bench) -> None:
    one.hold()
    for number in range(300):
        process = one.start(TAKE_TOKEN, str(number), seconds=0.001)
        eventually(lambda process=process: one.queues(process))
    one.release()
    assert set(one.finish()) == {0}
    assert one.lines("started") == [str(number) for number in range(300)]
    assert one.lines("violations") == []


def test_the_head_of_the_queue_leaves_nobody_behind(tmp_path: Path) -> None:
    with bench(render(tmp_path, slots=10, notice_after=600)) as ten:
        with open(ten.host.slot_folder / "turn") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            # Each finds a slot free at once, and ends what waited for the others while it is still being started.
            waiters = [ten.start() for _ in range(150)]
            eventually(lambda: all(ten.queues(waiter) for waiter in waiters))
        assert {waiter.communicate(timeout=GUARD)[1] for waiter in waiters} == {""}
        assert set(ten.finish()) == {0}
        for slot in ten.host.slot_folder.glob("slot.*"):
            with slot.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody still has it


def test_the_queue_fills_every_slot(tmp_path: Path) -> None:
    with bench(render(tmp_path, slots=3, notice_after=600)) as three:
        with open(three.host.slot_folder / "turn") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            waiters = [three.start(HOLD, str(number)) for number in range(3)]
            eventually(lambda: all(three.queues(waiter) for waiter in waiters))
        eventually(lambda: len(list(three.host.root.glob("holding.*"))) == 3)
        three.release()
        assert three.finish() == [0, 0, 0]


def test_who_tries_one_slot_after_another_is_not_overtaken(tmp_path: Path) -> None:
    # A STAND-IN for flock keeps the first call between two of its tries, until the test lets it go on.
    pause = """#!/bin/bash
echo >>"$TEST_ROOT/calls.$TEST_NAME"
mapfile -t calls <"$TEST_ROOT/calls.$TEST_NAME"
if [[ $TEST_NAME == first ]] && ((${#calls[@]} == 5)); then
  : >"$TEST_ROOT/paused"
  while [[ ! -e $TEST_ROOT/go ]]; do sleep 0.02; done
fi
exec /usr/bin/flock "$@"
"""
    host = render(tmp_path, slots=5, notice_after=600)
    path = f"{program(tmp_path / 'tools' / 'flock', pause).parent}:/usr/bin:/bin"
    with bench(host) as five, contextlib.ExitStack() as others:
        locks = [others.enter_context((host.slot_folder / f"slot.{number}").open()) for number in range(1, 6)]
        for lock in locks:
            fcntl.flock(lock, fcntl.LOCK_EX)
        five.start(TAKE_TOKEN, "first", PATH=path)
        eventually((tmp_path / "paused").exists)
        fcntl.flock(locks[0], fcntl.LOCK_UN)  # a slot that the first has found taken
        later = five.start(TAKE_TOKEN, "later", PATH=path)
        eventually(lambda: five.queues(later) or five.lines("started"))
        (tmp_path / "go").touch()
        assert five.finish() == [0, 0]
        assert five.lines("started") == ["first", "later"]


@pytest.mark.parametrize("number", range(1, 4))
def test_a_free_slot_is_found_wherever_it_is(tmp_path: Path, number: int) -> None:
    host = render(tmp_path, slots=3)
    with contextlib.ExitStack() as others:
        for other in {1, 2, 3} - {number}:
            fcntl.flock(others.enter_context((host.slot_folder / f"slot.{other}").open()), fcntl.LOCK_EX)
        assert host.cargo("build").env["NOVA_CARGO_SLOT"] == str(number)
        with open(host.slot_folder / "turn") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody still has it


def test_slots_that_an_apply_has_yet_to_make_are_not_waited_for(tmp_path: Path) -> None:
    host = render(tmp_path, slots=3)
    for name in ("slot.2", "slot.3"):
        (host.slot_folder / name).unlink()
    result = host.cargo("build")
    assert (result.env["NOVA_CARGO_SLOT"], result.err) == ("1", "")
    (host.slot_folder / "slot.1").unlink()
    result = host.cargo("build")
    assert (result.status, result.ran, result.err) == (
        2, False, f"cargo_agent: {host.slot_folder}/slot.1 can't be read; have an operator apply role agent_wrappers\n",
    )  # fmt: skip


def test_a_free_slot_is_left_to_whoever_has_the_turn(one: Bench) -> None:
    with open(one.host.slot_folder / "turn") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        newcomer = one.start(TAKE_TOKEN)
        eventually(lambda: one.queues(newcomer))
        assert one.lines("started") == []
    assert one.finish() == [0]


def switches(pids: list[int]) -> list[tuple[int, str]]:
    """How often each of these processes and of their children has run so far, as the kernel counts it."""
    tree = [*pids]
    for pid in tree:
        tree += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [
        (pid, line) for pid in tree for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "ctxt" in line
    ]


def rest(pids: list[int]) -> bool:
    before = switches(pids)
    time.sleep(1.5)
    return before == switches(pids)


def test_who_waits_does_not_run(one: Bench) -> None:
    one.hold()
    waiters = [one.start() for _ in range(5)]
    eventually(lambda: all(one.queues(waiter) for waiter in waiters))
    pids = [waiter.pid for waiter in waiters]
    eventually(lambda: rest(pids))
    one.release()
    assert set(one.finish()) == {0}


def test_a_killed_head_of_the_queue_keeps_no_slot(two: Bench) -> None:
    _first, command = two.hold("first")
    two.hold("second")
    head = two.start()
    eventually(lambda: two.queues(head))
    head.kill()
    newcomer = two.start()
    eventually(lambda: two.queues(newcomer))
    os.kill(command, signal.SIGKILL)  # one slot comes free; the other one is held on
    assert newcomer.communicate(timeout=GUARD) == ("", "") and newcomer.returncode == 0


def test_a_killed_command_gives_its_slot_back(one: Bench) -> None:
    wrapper, command = one.hold()
    os.kill(command, signal.SIGKILL)
    _, err = wrapper.communicate(timeout=GUARD)
    assert wrapper.returncode == 137
    assert "4G address space cap" in err
    one.start(TAKE_TOKEN)
    assert one.finish()[-1] == 0


def test_a_killed_wrapper_s_command_goes_on_inside_its_slot(one: Bench) -> None:
    wrapper, command = one.hold()
    wrapper.kill()
    wrapper.wait(timeout=GUARD)
    one.start(TAKE_TOKEN, "next")
    eventually(lambda: one.queue() == 1)
    os.kill(command, 0)
    assert one.lines("started") == []
    one.release()
    eventually(lambda: one.lines("started") == ["next"])


@pytest.fixture
def unlocked(one: Bench) -> str:
    """A PATH on which flock notes when it is asked to unlock."""
    script = f'#!/bin/bash\n[[ $1 != -u ]] || echo unlock >>"{one.host.root}/unlocked"\nexec /usr/bin/flock "$@"\n'
    return f"{program(one.host.root / 'tools' / 'flock', script).parent}:/usr/bin:/bin"


# Bash before 5.1, or told to be, keeps a here-document in a file and not in a pipe.
@pytest.mark.parametrize("compatible", ["", "5.0"])
@pytest.mark.parametrize("written", ["", "\\n", "x", "\\0"])  # by whoever has the pipe that tells of daemons
def test_a_daemon_left_behind_does_not_keep_the_slot(one: Bench, unlocked: str, compatible: str, written: str) -> None:
    write = f'for fd in /proc/$BASHPID/fd/*; do [[ ${{fd##*/}} -lt 3 || ! -p $fd ]] || printf "{written}" >"$fd"; done;'
    leave = f'{write} setsid sleep 1000 >/dev/null 2>&1 & echo "$!" >"$TEST_ROOT/daemon"'
    try:
        one.start(leave, PATH=unlocked, BASH_COMPAT=compatible).communicate(timeout=GUARD)
        one.start(TAKE_TOKEN)
        assert one.finish() == [0, 0]
        os.kill(int(one.lines("daemon")[0]), 0)
        assert one.lines("unlocked") == ["unlock"]
    finally:
        os.kill(int(one.lines("daemon")[0]), signal.SIGKILL)


def test_a_command_that_leaves_nothing_behind_needs_no_unlocking(one: Bench, unlocked: str) -> None:
    one.start(PATH=unlocked)
    one.start(PATH=unlocked)
    assert one.finish() == [0, 0]
    assert one.lines("unlocked") == []


def test_what_does_not_compile_waits_for_nothing(one: Bench) -> None:
    one.hold()
    lines = ("--version", "metadata", "fmt", "tree", "clean", "build --help", "rustc --help", "nextest show-config version",
             "nextest self update", "fuzz list", "fuzz ls", "fuzz init", "miri clean")  # fmt: skip
    for line in lines:
        assert one.host.cargo(*line.split()).status == 0, line
    assert "NOVA_CARGO_SLOT" not in one.host.cargo("metadata").env


@pytest.mark.parametrize(
    "words",
    [
        *(
            "build",
            "c",
            "clippy",
            "doc",
            "install x",
            "rustc",
            "rustdoc",
            "fix --lib",
            "package",
            "publish",
            "run",
            "test -p x",
        ),
        *(
            "bench -p x",
            "nextest run -p x",
            "nextest list -p x",
            "fuzz run x",
            "fuzz check",
            "hack build",
            "miri setup",
        ),
        *(
            "rustc foo -h",
            "rustdoc foo -h",
            "rustc foo --help",
            "run foo -h",
        ),  # the compiler's own words, and the program's
    ],
)
def test_what_compiles_takes_a_slot(shared_host: Host, words: str) -> None:
    assert shared_host.cargo(*words.split()).env["NOVA_CARGO_SLOT"] in ("1", "2")


# ---- nested calls ----


def test_a_nested_call_takes_no_second_slot(one: Bench) -> None:
    nested = (
        f'if [[ ! $TEST_INNER ]]; then TEST_INNER=1 bash "{one.host.cargo_agent}" build; fi; echo "$NOVA_CARGO_SLOT"'
    )
    out, err = one.start(nested).communicate(timeout=GUARD)
    assert (out, err) == ("1\n1\n", "")


def test_a_nested_call_is_recognised_after_its_wrapper_was_killed(one: Bench) -> None:
    nested = f'{HOLD}; STANDIN_DO="echo nested >>$TEST_ROOT/started" bash "{one.host.cargo_agent}" build'
    wrapper = one.start(nested, "holder")
    eventually((one.host.root / "holding.holder").exists)
    wrapper.kill()
    one.release()
    eventually(lambda: "nested" in one.lines("started"))


def test_a_slot_in_the_environment_alone_is_not_believed(one: Bench) -> None:
    _, command = one.hold()
    for lie in ("1", "01", "2", f"{command}", "1;id", "a[$(id)]", "../../etc/passwd", "-1", ""):
        before = one.queue()
        process = one.start(TAKE_TOKEN, NOVA_CARGO_SLOT=lie)
        eventually(lambda before=before: one.queue() > before)
        process.terminate()
        process.communicate(timeout=GUARD)
        eventually(lambda before=before: one.queue() <= before)


# ---- how many ----


def test_fewer_slots_can_be_asked_for(two: Bench) -> None:
    two.hold()
    two.start(TAKE_TOKEN, NOVA_CARGO_SLOTS="1")
    eventually(lambda: two.queue() == 1)
    assert two.start(TAKE_TOKEN).communicate(timeout=GUARD) == ("", "")


def test_more_slots_than_the_host_s_are_cut_in_one_line(two: Bench) -> None:
    two.hold("first")
    two.hold("second")
    process = two.start(TAKE_TOKEN, NOVA_CARGO_SLOTS="50")
    eventually(lambda: two.queue() >= 1)
    two.release()
    assert process.communicate(timeout=GUARD)[1] == (
        "cargo_agent: NOVA_CARGO_SLOTS is 50, but this host has 2 slots: 2 holds\n"
    )


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "99999999999999999999", "a[$(touch injected)]", " 1", "08"])
def test_a_broken_number_is_refused(shared_host: Host, text: str) -> None:
    for name in ("NOVA_CARGO_SLOTS", "NOVA_CARGO_JOBS", "NOVA_RUST_TEST_THREADS"):
        result = shared_host.cargo("test", "-p", "x", **{name: text})
        assert (result.status, result.ran, len(result.lines)) == (2, False, 1)
        assert result.err == f"cargo_agent: {name} is '{text}'; write a whole number from 1 to 9999\n"
    assert not (shared_host.checkout / "injected").exists()


# ---- waiting ----


def test_a_waiter_speaks_after_ten_seconds_and_then_each_minute() -> None:
    role = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert (role["notice_after"], role["notice_every"]) == (10, 60)


def test_a_waiter_says_what_it_waits_for_and_who_holds_it(tmp_path: Path) -> None:
    host = render(tmp_path, slots=1, notice_after=0.1, notice_every=0.2)
    with bench(host) as made:
        _, command = made.hold()
        head, second = made.start(), made.start()
        eventually(lambda: made.queue() == 2)
        for process in (head, second):
            assert process.stderr
        lines = [[process.stderr.readline() for _ in range(2)] for process in (head, second) if process.stderr]
        holder = f" for one of 1 slots in {host.slot_folder}; user {os.getuid()} (process {command}) since "
        for line in lines[0] + lines[1]:
            assert line.startswith("cargo_agent: waiting for ") and holder in line and line.endswith(": cargo build\n")
        assert sorted(" s, behind others, for " in line for line in lines[0] + lines[1]) == [False, False, True, True]


def test_a_waiter_names_no_holder_that_has_ended(tmp_path: Path) -> None:
    host = render(tmp_path, slots=1, notice_after=0.1)
    with bench(host) as made, (host.slot_folder / "slot.1").open() as lock:
        assert made.start().wait(timeout=GUARD) == 0
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiter = made.start()
        assert waiter.stderr
        assert waiter.stderr.readline() == f"cargo_agent: waiting for 0 s for one of 1 slots in {host.slot_folder}\n"


@pytest.mark.parametrize(
    ("words", "record"),
    [
        ("build --locked", "cargo build"),
        ("test -p nova-core secret", "cargo test -p nova-core"),
        ("publish --token secret", "cargo publish"),
        ("publish -p nova-core --token secret", "cargo publish -p nova-core"),
        ("nextest run -p nova-core secret", "cargo nextest run -p nova-core"),
        ("unknown --password secret", "cargo unknown"),
    ],
)
def test_a_record_names_the_command_and_no_word_that_may_be_secret(shared_host: Host, words: str, record: str) -> None:
    slot = shared_host.cargo(*words.split()).env["NOVA_CARGO_SLOT"]
    fields = (shared_host.slot_folder / f"holder.{slot}").read_text().split(maxsplit=3)
    assert fields[2:] == [str(os.getuid()), f"{record}\n"]


def test_a_record_is_written_whatever_the_caller_s_shell_options(host: Host) -> None:
    for _ in range(2):  # where a record of the last holder stands
        assert host.cargo("build", SHELLOPTS="noclobber").err == ""
        assert (host.slot_folder / "holder.1").read_text().endswith(" cargo build\n")
        (host.slot_folder / "holder.1").write_text("older\n")


# Says which of TSTP and TTOU a command would ignore, as its parent would.
IGNORED = """
for process in $$ $PPID; do
  while read -r name mask; do [[ $name != SigIgn: ]] || ignored=$((0x$mask & (1 << 19 | 1 << 21))); done </proc/$process/status
  ((ignored == 0)) || echo "$process" >>"$TEST_ROOT/ignored"
done
echo none >>"$TEST_ROOT/ignored"
"""


def test_what_waits_can_not_be_stopped_and_what_runs_can(one: Bench) -> None:
    """A stopped head of the queue would stop the whole host."""
    one.hold()
    waiters = {name: one.start(HOLD + "; " + IGNORED, name, process_group=0) for name in ("head", "second")}
    eventually(lambda: all(one.queues(waiter) for waiter in waiters.values()))
    for waiter in waiters.values():
        os.killpg(waiter.pid, signal.SIGTSTP)  # as a terminal does
    one.release()
    assert one.finish() == [0, 0, 0]
    assert one.lines("ignored") == ["none", "none"]


@pytest.mark.parametrize(
    "record", ["", "garbage", "9 9", "1 99999999999999999999 0 x", "\x1b[31m 1 2 3", "1 2 3 \x1b[31m", "x" * 9999]
)
def test_a_waiter_shows_no_nonsense(tmp_path: Path, record: str) -> None:
    host = render(tmp_path, slots=1, notice_after=0.1)
    with bench(host) as made:
        made.hold()
        (host.slot_folder / "holder.1").write_text(f"{record}\n")
        process = made.start()
        assert process.stderr
        line = process.stderr.readline()
        assert line.startswith("cargo_agent: waiting for ")
        assert "\x1b" not in line
        assert len(line) < 500


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL],
    ids=lambda number: number.name,
)
@pytest.mark.parametrize("place", ["head", "second"])
def test_a_signal_ends_a_waiter_and_the_queue_moves_on(one: Bench, number: signal.Signals, place: str) -> None:
    one.hold()
    waiters = {}
    for position, name in enumerate(("head", "second", "third"), 1):
        waiters[name] = one.start(TAKE_TOKEN, name)
        eventually(lambda expected=position: one.queue() == expected)
    waiters[place].send_signal(number)
    status = 131 if number == signal.SIGQUIT else -number  # bash itself ignores QUIT
    assert waiters[place].wait(timeout=GUARD) == status
    if number != signal.SIGKILL:  # which leaves the head's lock to end by itself
        eventually(lambda: one.queue() == 2)
    one.release()
    eventually(lambda: one.lines("started") == [name for name in waiters if name != place])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_a_running_cargo(one: Bench, number: signal.Signals) -> None:
    trap = f"trap 'echo got >>$TEST_ROOT/started; exit 3' {int(number)}; {HOLD}"
    process = one.start(trap, "trapping")
    eventually((one.host.root / "holding.trapping").exists)
    process.send_signal(number)
    process.wait(timeout=GUARD)
    assert (process.returncode, one.lines("started")) == (3, ["got"])
    process = one.start('echo "$$" >>"$TEST_ROOT/started"; exec sleep 1000')
    command = eventually(lambda: one.lines("started")[1:])[0]
    process.send_signal(number)
    assert process.wait(timeout=GUARD) == -number
    assert not Path(f"/proc/{command}").exists()


def test_a_quit_reaches_a_running_cargo_and_is_not_taken_for_a_failure(one: Bench) -> None:
    process = one.start('echo "$$" >"$TEST_ROOT/started"; exec sleep 1000')
    eventually(lambda: one.lines("started"))
    process.send_signal(signal.SIGQUIT)
    assert process.communicate(timeout=GUARD) == ("", "")
    assert process.returncode == 131


def test_an_odd_status_after_a_signal_is_passed_on_without_a_word_of_bash_s(one: Bench) -> None:
    process = one.start(f"trap 'exit 255' TERM; {HOLD}", "trapping")
    eventually((one.host.root / "holding.trapping").exists)
    process.terminate()
    _, err = process.communicate(timeout=GUARD)
    assert (process.returncode, len(err.splitlines())) == (255, 1)
    assert err.startswith("cargo_agent: cargo failed under the 4G address space cap.")


def test_a_command_reads_standard_input(one: Bench) -> None:
    done = subprocess.run(
        ["bash", one.host.cargo_agent, "run"], input="typed\n", capture_output=True, text=True, timeout=GUARD,
        cwd=one.host.checkout, env=one.host.environment(STANDIN_DO="cat"),
    )  # fmt: skip
    assert done.stdout == "typed\n"


# ---- whose folder ----


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
def test_two_users_share_the_slots_and_neither_can_change_them() -> None:
    group = 54321
    with tempfile.TemporaryDirectory(prefix="two-users-") as folder:
        os.chmod(folder, 0o755)
        host = render(Path(folder), slots=1, notice_after=0.1)
        os.chmod(host.root, 0o777)  # for the test's own notes
        for path in (host.slot_folder, *host.slot_folder.iterdir()):
            os.chown(path, 0, group)
            path.chmod(0o750 if path.is_dir() else 0o660 if "holder" in path.name else 0o640)

        def as_user(user: int, *command: object, **env: str) -> Process:
            become = ["setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={group}", "--"]
            return host.start(*become, *command, TEST_ROOT=folder, TEST_NAME=str(user), **env)

        (host.root / "hold").touch()
        first = as_user(54001, "bash", host.cargo_agent, "build", STANDIN_DO=HOLD)
        eventually(lambda: (host.root / "holding.54001").exists())
        second = as_user(54002, "bash", host.cargo_agent, "build", STANDIN_DO="echo ran")
        assert second.stderr
        assert "; user 54001 (process " in second.stderr.readline()
        for harm in (
            "echo >{}/slot.1",
            "rm -f {}/slot.1",
            "ln -s x {}/slot.2",
            "mv {}/turn {}/t",
            "chmod 777 {}/slot.1",
        ):
            assert as_user(54002, "bash", "-c", harm.replace("{}", str(host.slot_folder))).wait(timeout=GUARD) != 0
        (host.root / "hold").unlink()
        assert second.communicate(timeout=GUARD)[0] == "ran\n"
        assert first.wait(timeout=GUARD) == 0


def own_folder(host: Host, **env: str) -> tuple[int, str]:
    if host.slot_folder.exists():
        shutil.rmtree(host.slot_folder)
    result = host.cargo("build", **env)
    return result.status, result.lines[-1] if result.lines else ""


def test_a_folder_of_one_s_own_survives_a_reboot_of_the_cache(host: Host) -> None:
    assert own_folder(host)[0] == 0
    shutil.rmtree(host.root / "home" / ".cache")
    assert own_folder(host)[0] == 0


@pytest.mark.parametrize("name", ["turn", "slot.1", "holder.2"])
def test_no_lock_or_record_through_a_link(host: Host, name: str) -> None:
    assert own_folder(host)[0] == 0
    cache = host.root / "home" / ".cache" / "nova-agent" / "slots"
    victim = host.root / "victim"
    (cache / name).unlink()
    (cache / name).symlink_to(victim)
    status, line = own_folder(host)
    assert (status, line) == (2, f"cargo_agent: '{cache / name}' is a link or not your own; remove it")
    assert not victim.exists()


def test_no_record_from_a_fifo(host: Host) -> None:
    assert own_folder(host)[0] == 0
    record = host.root / "home" / ".cache" / "nova-agent" / "slots" / "holder.1"
    record.unlink()
    os.mkfifo(record)  # which would keep its reader waiting for ever
    assert own_folder(host, NOVA_CARGO_SLOT="1") == (2, f"cargo_agent: '{record}' is a link or not your own; remove it")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
@pytest.mark.parametrize("name", ["turn", "slot.1", "holder.2"])
def test_no_lock_or_record_of_somebody_else_s(host: Host, name: str) -> None:
    assert own_folder(host)[0] == 0
    file = host.root / "home" / ".cache" / "nova-agent" / "slots" / name
    os.chown(file, 54001, 54001)
    assert own_folder(host) == (2, f"cargo_agent: '{file}' is a link or not your own; remove it")


def test_no_folder_without_a_home(host: Host) -> None:
    shutil.rmtree(host.slot_folder)
    result = host.cargo("build", HOME=None)
    assert (result.status, result.ran, result.err) == (
        2, False, "cargo_agent: HOME is not set, so there is no place for slots; set it or NOVA_CARGO_LOCK_DIR\n",
    )  # fmt: skip
    assert host.cargo("build", HOME=None, NOVA_CARGO_LOCK_DIR=str(host.root / "locks")).status == 0


def test_a_missing_program_is_named_with_its_package(host: Host) -> None:
    shutil.copytree(host.slot_folder, host.root / "slots-kept")
    tools = host.root / "few tools"
    tools.mkdir()
    for name in ("bash", "env", "cat"):
        (tools / name).symlink_to(shutil.which(name) or name)
    missing = "cargo_agent: flock is missing, without which there are no slots: install package util-linux"
    result = host.cargo("build", PATH=str(tools))
    # Every host of the role's has it; a look for it before each call would cost. So bash tells of it first.
    assert (result.status, result.ran, result.lines[-1], len(result.lines)) == (2, False, missing, 2)
    own = "mkdir", "seq"  # what slots of one's own are made with
    for name in own:
        (tools / name).symlink_to(shutil.which(name) or name)
    assert own_folder(host, PATH=str(tools)) == (2, missing)
    shutil.copytree(host.root / "slots-kept", host.slot_folder)
    (tools / "flock").symlink_to("/usr/bin/flock")
    assert host.cargo("build", PATH=str(tools)).err == ""
    with open(host.slot_folder / "turn") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        result = host.cargo("build", PATH=str(tools))
    assert (result.status, result.err) == (
        2, "cargo_agent: setpriv is missing, without which nothing can queue: install package util-linux\n",
    )  # fmt: skip
    assert host.cargo("metadata", PATH=str(tools)).status == 0


def test_no_folder_through_a_link_and_none_that_is_relative(host: Host) -> None:
    elsewhere = host.root / "elsewhere"
    elsewhere.mkdir()
    link = host.root / "link"
    link.symlink_to(elsewhere)
    assert own_folder(host, NOVA_CARGO_LOCK_DIR=str(link)) == (
        2, f"cargo_agent: '{link}' is a link or not your own; remove it",
    )  # fmt: skip
    assert own_folder(host, NOVA_CARGO_LOCK_DIR="locks") == (
        2, "cargo_agent: the folder for slots, 'locks', must be an absolute path",
    )  # fmt: skip
    assert not list(elsewhere.iterdir())


def test_a_folder_named_in_the_environment_serves_only_where_the_host_has_none(host: Host) -> None:
    other = host.root / "other locks"
    assert host.cargo("build", NOVA_CARGO_LOCK_DIR=str(other)).err == ""
    assert not other.exists()
    assert own_folder(host, NOVA_CARGO_LOCK_DIR=str(other))[0] == 0
    assert (other / "turn").exists()
