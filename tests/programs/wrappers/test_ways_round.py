# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""docs/wrappers.md tells how an agent gets round each guard rail, and that there is no way out of the fence.

Where one of these goes red, the documentation claims too little or too much. Other ways round are seen where their
subject is: other toolchains and editors in test_guard.py, malloc's tunable in test_environment.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import CHANNEL, GUARD, TRIPLE, Host, Result, eventually

AS = "Max address space"
PROC_LOCKS = Path("/proc/locks")


@pytest.fixture
def taken(host: Host) -> Iterator[Host]:
    """A host on which nobody gets a slot."""
    with contextlib.ExitStack() as stack:
        for path in host.slot_folder.glob("slot.*"):
            fcntl.flock(stack.enter_context(path.open()), fcntl.LOCK_EX)
        yield host


def test_from_inside_the_limit_can_not_be_raised(host: Host) -> None:
    agent = "setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all"
    raised = f'bash "{host.run_limited}" --as 1G -- {agent} prlimit --as=2147483648 echo out'
    result = host.shell(raised)
    assert (result.status, result.out) == (1, "") and "Operation not permitted" in result.err
    assert host.shell(raised.replace("2147483648", "536870912")).out == "out\n"


def test_what_listens_outside_starts_programs_outside_the_limit(host: Host) -> None:
    os.mkfifo(host.root / "door")
    with host.start("bash", "-c", f'read -r line <"{host.root}/door"; $line', LC_ALL="C") as listener:
        asked = host.shell(f'bash "{host.run_limited}" -- bash -c \'echo "cat /proc/self/limits" >"{host.root}/door"\'')
        out, _ = listener.communicate(timeout=GUARD)
    assert asked.status == 0
    assert Result(0, out, "", True, limits=out).limit(AS) == ("unlimited", "unlimited")


def test_the_cap_can_be_asked_away(host: Host) -> None:
    assert host.cargo("build", NOVA_CARGO_LIMIT_AS="unlimited").limit(AS) == ("unlimited", "unlimited")


def test_the_toolchain_s_own_cargo_needs_no_slot_and_knows_no_rules(taken: Host) -> None:
    result = taken.cargo("test", "--workspace", script=taken.toolchain(f"{CHANNEL}-{TRIPLE}"))
    assert (result.status, result.args) == (0, ["test", "--workspace"])


def test_a_forged_record_passes_for_a_slot(taken: Host) -> None:
    forged = 'echo "$$ 1" >"$SLOTS/holder.1"; NOVA_CARGO_SLOT=1 bash "$WRAPPER" build; exit "$?"'
    result = taken.shell(
        forged,
        SLOTS=str(taken.slot_folder),
        WRAPPER=str(taken.cargo_agent),
        STANDIN_DO="echo built",
        STANDIN_STATUS="7",
    )
    assert result.out == "built\n" and result.status == 7


def test_a_stopped_head_of_the_queue_stops_the_queue(host: Host) -> None:
    with contextlib.ExitStack() as others:
        locks = [others.enter_context(path.open()) for path in host.slot_folder.glob("slot.*")]
        for lock in locks:
            fcntl.flock(lock, fcntl.LOCK_EX)
        head = host.start("bash", host.cargo_agent, "build")
        children = Path(f"/proc/{head.pid}/task/{head.pid}/children")
        eventually(lambda: len(children.read_text().split()) > len(locks))  # one for each slot, and the clock
        head.send_signal(signal.SIGSTOP)
    second = host.start("bash", host.cargo_agent, "build", STANDIN_DO="echo built")
    locks_of_turn = f":{(host.slot_folder / 'turn').stat().st_ino} "
    eventually(lambda: any("->" in line and locks_of_turn in line for line in PROC_LOCKS.read_text().splitlines()))
    assert second.poll() is None  # with every slot free
    head.send_signal(signal.SIGCONT)
    assert second.communicate(timeout=GUARD)[0] == "built\n"
    assert head.wait(timeout=GUARD) == 0


def test_functions_in_the_environment_take_the_wrapper_s_place(host: Host) -> None:
    name, value = "BASH_FUNC_exec%%", "() { echo instead; builtin exit 0; }"
    assert host.cargo("metadata", **{name: value}).out == "instead\n"


def test_who_may_lock_may_keep_a_slot(host: Host) -> None:
    keepers = [
        host.start("flock", "--no-fork", path, "sleep", "60") for path in sorted(host.slot_folder.glob("slot.*"))
    ]
    eventually(lambda: all(host.shell(f'flock -n "{keeper.args[2]}" true').status for keeper in keepers))
    waiter = host.start("bash", host.cargo_agent, "build")
    children = Path(f"/proc/{waiter.pid}/task/{waiter.pid}/children")
    eventually(lambda: len(children.read_text().split()) > len(keepers))  # one for each slot, and the clock
    for process in (waiter, *keepers):
        process.kill()
        process.communicate()


@pytest.mark.parametrize("words", [("x",), ("--config", 'alias.y="test"', "y")])
def test_an_alias_that_is_not_understood_passes_the_rules_under_the_cap(host: Host, words: tuple[str, ...]) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text('[alias]\nx = [\n  "test",\n]\n')
    result = host.cargo(*words)
    assert result.args == list(words) and result.limit(AS) == (str(4 << 30),) * 2
