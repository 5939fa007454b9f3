# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The ways around each guard rail that docs/wrappers.md describes work, and the fence has no way around it.

If one of these tests fails, the documentation is wrong. The tests of a subject have its other ways around:
other toolchains and editors in test_guard.py, malloc's tunable in test_environment.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from .host import ACCOUNTS, CHANNEL, FREE, GUARD, LIBC, TRIPLE, TURN, Host, Result, eventually

AS = "Max address space"
GETPID, GETNCNT = 11, 14


COMPILE = '"$RUSTC_WRAPPER" echo compiled --crate-name x'


@pytest.fixture
def taken(host: Host) -> Iterator[Host]:
    """A host whose pool is used up by another process."""
    take = (
        f"semop {host.set}, pack 's!*', 0, -{host.value(FREE)}, 010000; print qq(has it\\n); close STDOUT; sleep 1000"
    )
    with host.start("perl", "-e", f"$| = 1; {take}") as holder:
        assert holder.stdout and holder.stdout.readline() == "has it\n"
        yield host
        holder.kill()


def test_process_below_the_limit_cannot_raise_it(host: Host) -> None:
    agent = "setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all"
    raised = f'bash "{host.run_limited}" --as 1G -- {agent} prlimit --as=2147483648 echo out'
    result = host.shell(raised)
    assert (result.status, result.out) == (1, "") and "Operation not permitted" in result.err
    assert host.shell(raised.replace("2147483648", "536870912")).out == "out\n"


def test_server_outside_the_limit_starts_programs_without_it(host: Host) -> None:
    os.mkfifo(host.root / "door")
    with host.start("bash", "-c", f'read -r line <"{host.root}/door"; $line', LC_ALL="C") as listener:
        asked = host.shell(f'bash "{host.run_limited}" -- bash -c \'echo "cat /proc/self/limits" >"{host.root}/door"\'')
        out, _ = listener.communicate(timeout=GUARD)
    assert asked.status == 0
    assert Result(0, out, "", True, limits=out).limit(AS) == ("unlimited", "unlimited")


def test_cap_can_be_removed_by_a_variable(host: Host) -> None:
    assert host.cargo("build", NOVA_CARGO_LIMIT_AS="unlimited").limit(AS) == ("unlimited", "unlimited")


def test_cargo_of_the_toolchain_has_no_gate_and_no_rules(taken: Host) -> None:
    result = taken.cargo(
        "test", "--workspace", script=taken.toolchain(f"{CHANNEL}-{TRIPLE}"), STANDIN_DO="echo compiled"
    )
    assert (result.status, result.args, result.out) == (0, ["test", "--workspace"], "compiled\n")


@pytest.mark.parametrize("way", ["RUSTC_WRAPPER= ", "NOVA_CARGO_GATE= ", "NOVA_CARGO_PERMIT=$PPID "])
def test_variables_disable_the_gate(taken: Host, way: str) -> None:
    compile_ = COMPILE if "WRAPPER" not in way else "${RUSTC_WRAPPER-} echo compiled --crate-name x"
    result = taken.cargo("build", STANDIN_DO=f"export {way}; {compile_}")
    assert result.out.startswith("compiled")


def test_units_never_taken_can_be_returned(taken: Host) -> None:
    give = f"perl -e 'semop {taken.set}, pack q(s!*), 0, 64, 0'"
    assert taken.cargo("build", STANDIN_DO=f"{give}; {COMPILE}").out.startswith("compiled")


def test_stopped_head_of_the_queue_blocks_the_queue(taken: Host) -> None:
    head = taken.start("bash", taken.cargo_agent, "build", STANDIN_DO=COMPILE)
    waits = eventually(lambda: taken.value(TURN) == 0 and LIBC.semctl(taken.set, TURN, GETPID))
    os.kill(waits, signal.SIGSTOP)
    second = taken.start("bash", taken.cargo_agent, "build", STANDIN_DO=COMPILE)
    eventually(lambda: LIBC.semctl(taken.set, ACCOUNTS + os.getuid(), GETNCNT) == 1)
    subprocess.run(["perl", "-e", f"semop {taken.set}, pack q(s!*), 0, 128, 0"], check=True)
    assert second.poll() is None  # memory for both
    os.kill(waits, signal.SIGCONT)
    for process in (head, second):
        assert process.communicate(timeout=GUARD)[0].startswith("compiled")


def test_process_started_by_an_outside_server_holds_no_permit(taken: Host) -> None:
    assert taken.cargo("build", STANDIN_DO="echo compiled").out == "compiled\n"  # like programs of a build script


def test_exported_functions_replace_the_wrapper(host: Host) -> None:
    name, value = "BASH_FUNC_exec%%", "() { echo instead; builtin exit 0; }"
    assert host.cargo("metadata", **{name: value}).out == "instead\n"


@pytest.mark.parametrize("words", [("x",), ("--config", 'alias.y="test"', "y")])
def test_alias_that_cannot_be_parsed_passes_the_rules_under_the_cap(host: Host, words: tuple[str, ...]) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text('[alias]\nx = "te\\u0073t"\n')
    result = host.cargo(*words)
    assert result.args == list(words) and result.limit(AS) == (str(4 << 30),) * 2
