# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""agent-status as a command: output, exit status, and the slots of real wrappers."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator

import pytest
from wrappers.host import GUARD, eventually

from .conftest import Status

HOLD = '"$RUSTC_WRAPPER" bash -c "while [[ -e \\"$TEST_HOLD\\" ]]; do sleep 0.02; done" --crate-name "$TEST_NAME"'


@contextlib.contextmanager
def builds(status: Status, count: int, name: str = "serde") -> Iterator[list[subprocess.Popen[str]]]:
    """``count`` builds, started one after the other, that run until the end of the block."""
    hold = status.host.root / "hold"
    hold.touch()
    command = ["bash", status.host.cargo_agent, "build", "--locked"]
    started = []
    try:
        for number in range(1, count + 1):
            started.append(status.host.start(*command, STANDIN_DO=HOLD, TEST_HOLD=str(hold), TEST_NAME=name))
            eventually(lambda number=number: _known_builds(status) == number)
        yield started
    finally:
        hold.unlink()
        for process in started:
            process.communicate(timeout=GUARD)


def _known_builds(status: Status) -> int:
    facts = status.facts()
    return len(facts["pool"]["holders"]) + len(facts["pool"]["waiting"]) + len(facts["slots"]["waiting"])


def test_idle_pool_is_free(status):
    facts = status.facts()
    assert (facts["pool"]["total"], facts["pool"]["held"], facts["pool"]["holders"]) == (16 << 30, 0, [])
    assert (facts["slots"]["total"], facts["slots"]["held"], facts["slots"]["waiting"]) == (2, 0, [])
    output = status.run().stdout
    assert "pool      0 MiB of 16 GiB held by builds and tests" in output and "slots     0 of 2 held" in output


def test_holding_and_waiting_commands_are_named(status):
    with builds(status, 5):
        facts = status.facts()
        output = status.run().stdout
    assert [(holder["user"], holder["command"], holder["memory"]) for holder in facts["pool"]["holders"]] == [
        (getpass.getuser(), "rustc serde", 4 << 30)
    ] * 2
    assert facts["pool"]["held"] == 8 << 30
    assert [caller["command"] for caller in facts["slots"]["waiting"]] == ["cargo build"] * 3
    assert "pool      8 GiB of 16 GiB held" in output and "slots     2 of 2 held" in output
    assert status.facts()["pool"]["holders"] == []


def test_process_that_waits_for_memory_is_named(status):
    status.host.change_policy(POOL_BYTES=4 << 30)
    status.host.make_pool()
    with builds(status, 2):
        (waits,) = status.facts()["pool"]["waiting"]
    assert (waits["command"], waits["memory"]) == ("rustc serde", 4 << 30)


def test_command_lines_of_agents_cannot_control_the_terminal(status):
    with builds(status, 1, "\x1b[2J\x07\u202eslow"):
        output = status.run().stdout
    assert r"rustc \x1b[2J\x07" in output
    assert [character for character in output if character != "\n" and not character.isprintable()] == []
    assert max(map(len, output.splitlines())) <= 80


def test_environment_of_the_caller_is_ignored(status, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the environment')\n")
    done = status.run(PYTHONPATH=str(tmp_path), PYTHONSTARTUP="/nonexistent", PYTHONHOME="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_is_written_into_the_library(status):
    status.run()
    assert list(status.host.prefix.rglob("__pycache__")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--watch", "0"], "argument --watch: '0' is not from 0.2 to 86400 seconds"),
        (["--watch", "soon"], "argument --watch: 'soon' is not from 0.2 to 86400 seconds"),
        (["--watch", "nan"], "argument --watch: 'nan' is not from 0.2 to 86400 seconds"),
        (["--jason"], "unrecognized arguments: --jason"),
    ],
)
def test_wrong_options_are_refused(status, arguments, message):
    done = status.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == f"agent-status: error: {message}"


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory"), ("{", "Expecting property name")])
def test_missing_policy_is_named_with_the_remedy(status, content, why):
    status.policy.unlink()
    if content:
        status.policy.write_text(content)
    done = status.run()
    assert done.returncode == 1
    assert why in done.stderr and done.stderr.endswith("): apply role agent_status\n")
    assert len(done.stderr.splitlines()) == 1


def test_closed_pipe_is_not_an_error(status):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([status.program], stdout=writer, stderr=subprocess.PIPE, timeout=GUARD)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


class Terminal:
    """The program on a pseudo-terminal."""

    def __init__(self, status: Status, *arguments: str, **environment: str) -> None:
        self.text = b""
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            variables = {"PATH": "/usr/bin:/bin", "TERM": "xterm", **environment}
            os.execve(status.program, [str(status.program), *arguments], variables)

    def until(self, text: bytes, times: int = 1) -> None:
        while self.text.count(text) < times:
            assert select.select([self.screen], [], [], GUARD)[0], self.text
            assert self._read(), self.text  # otherwise it ended

    def _read(self) -> bool:
        try:
            data = os.read(self.screen, 65536)
        except OSError:  # the pseudo-terminal is closed
            return False
        self.text += data
        return bool(data)

    def ends(self) -> int:
        while self._read():
            pass
        os.close(self.screen)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_redraws_without_clearing_and_restores_the_terminal(status, number):
    terminal = Terminal(status, "--watch", "0.2")
    terminal.until(b"\x1b[H", times=3)
    os.kill(terminal.pid, number)
    assert terminal.ends() == 0
    assert terminal.text.startswith(b"\x1b[?1049h\x1b[?25l\x1b[H")
    assert terminal.text.endswith(b"\x1b[?25h\x1b[?1049l")
    assert b"\x1b[2J" not in terminal.text and b"Traceback" not in terminal.text


def test_colours_are_used_only_on_terminals_that_allow_them(status):
    coloured, plain = Terminal(status), Terminal(status, NO_COLOR="1")
    assert (coloured.ends(), plain.ends()) == (0, 0)
    assert b"\x1b[1mmemory" in coloured.text
    assert b"\x1b" not in plain.text and "\x1b" not in status.run().stdout


def test_watch_as_json_prints_one_object_per_line(status):
    with subprocess.Popen([status.program, "--json", "--watch", "0.2"], stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        seen = [json.loads(watching.stdout.readline())["time"] for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=GUARD) == 0
    assert seen == sorted(seen)
