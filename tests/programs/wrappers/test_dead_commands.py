# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Only a command that holds memory and does nothing is ended. The limits are short here, and no test measures time: commands that
must survive are older than the ended one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bench import COMPILE, Bench, bench
from .host import GIB, GUARD, Host, eventually, render

NOTE = 'echo "$$" >"$TEST_ROOT/holding.$TEST_NAME"; '
DEAD = f"{NOTE}exec sleep infinity"
DEAF = f"trap '' TERM; {NOTE}sleep infinity"
BUSY = f'{NOTE}while [[ -e "$TEST_ROOT/hold" ]]; do :; done'
# Uses almost no CPU time.
PRINTS = f"""{NOTE}exec perl -e 'while (-e "$ENV{{TEST_ROOT}}/hold") {{ syswrite STDOUT, "x"; select undef, undef, undef, 0.2 }}'"""
SERVES = 'exec "${RUSTC_WRAPPER%/*}/program" bash -c "$TEST_UNIT"'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Bench]:
    """A host with memory for three processes, which ends commands that are idle for three seconds."""
    with bench(render(tmp_path, pool_bytes=12 * GIB, slots=300, idle_seconds=3)) as made:
        yield made


def start(host: Bench, unit: str, name: str, do: str = COMPILE, **env: str) -> int:
    """Start a command whose unit runs ``unit``. Return the unit's process."""
    host.start(unit, name, do=do, **env)
    note = host.host.root / f"holding.{name}"
    return int(eventually(lambda: note.exists() and note.read_text()))


def test_only_idle_commands_are_ended(host: Bench) -> None:
    start(host, BUSY, "busy")
    start(host, PRINTS, "prints")
    quiet = [start(host, DEAD, "serves", do=SERVES), start(host, "", "watches", do=f"{COMPILE}; {DEAD}")]
    held = start(host, DEAD, "dead")
    host.start(name="waits")
    busy, prints, serves, watches, dead, waits = host.processes
    _, err = dead.communicate(timeout=GUARD)
    assert dead.returncode == -signal.SIGTERM
    assert err.count("NOVA_CARGO_IDLE_MINUTES=0") == 1 and err.startswith("cargo_agent: ")
    assert waits.communicate(timeout=GUARD) == ("", "")  # with the memory of the ended command
    eventually(lambda: not Path(f"/proc/{held}").exists())
    assert serves.poll() is None and watches.poll() is None
    host.release()
    for process in quiet:
        os.kill(process, signal.SIGKILL)
    for alive in (busy, prints):
        _, err = alive.communicate(timeout=GUARD)
        assert (alive.returncode, err) == (0, "")


def test_command_that_ignores_sigterm_is_killed_with_its_children(host: Bench) -> None:
    held = start(host, DEAF, "deaf", do=f"{COMPILE}; true")
    child = eventually(Path(f"/proc/{held}/task/{held}/children").read_text).strip()
    assert host.processes[0].wait(timeout=GUARD) == -signal.SIGTERM
    eventually(lambda: not Path(f"/proc/{held}").exists() and not Path(f"/proc/{child}").exists())
    eventually(host.is_whole)


def test_zero_disables_the_check(host: Bench) -> None:
    held = start(host, DEAD, "kept", NOVA_CARGO_IDLE_MINUTES="0")
    start(host, DEAD, "dead")
    kept, dead = host.processes
    assert dead.wait(timeout=GUARD) == -signal.SIGTERM
    assert kept.poll() is None
    os.kill(held, signal.SIGKILL)


@pytest.mark.parametrize("text", ["-1", "1.5", "soon", "99999", "$(id)"])
def test_invalid_number_of_minutes_is_refused(shared_host: Host, text: str) -> None:
    for name in ("NOVA_CARGO_IDLE_MINUTES", "NOVA_CARGO_ORPHAN_MINUTES"):
        result = shared_host.cargo("build", **{name: text})
        assert (result.status, result.ran, len(result.lines)) == (2, False, 1)
        assert name in result.err


def test_busy_command_is_ended_if_its_starter_has_ended(tmp_path: Path) -> None:
    with bench(render(tmp_path, pool_bytes=12 * GIB, slots=300, orphan_seconds=3)) as made:
        start(made, BUSY, "lives")
        starter = f"bash '{made.host.cargo_agent}' build 2>'{tmp_path}/said' & read -r _ <'{tmp_path}/end'"
        os.mkfifo(tmp_path / "end")
        env = {**made.env, "TEST_NAME": "orphan", "TEST_UNIT": BUSY, "STANDIN_DO": COMPILE}
        agent = made.host.start("bash", "-c", f"({starter}); :", **env)
        note = tmp_path / "holding.orphan"
        held = int(eventually(lambda: note.exists() and note.read_text()))
        (tmp_path / "end").write_text("\n")
        assert agent.wait(timeout=GUARD) == 0
        eventually(lambda: not Path(f"/proc/{held}").exists())
        assert "NOVA_CARGO_ORPHAN_MINUTES=0" in eventually((tmp_path / "said").read_text)
        assert made.processes[0].poll() is None
