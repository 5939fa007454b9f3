# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""oom_score_adj of the processes of a wrapped command: they are killed before the agent."""

from __future__ import annotations

import pytest

from .host import Host

SCORE = "read -r score </proc/self/oom_score_adj; echo $score"
CARGO, COMPILER, LARGEST = 500, 800, 900


def score(host: Host, do: str, before: int = 0, words: str = "build") -> int:
    """The score of a child of the stand-in for cargo, in a session with the score ``before``."""
    command = f'echo {before} >/proc/self/oom_score_adj; exec bash "$AGENT" {words}'
    done = host.shell(command, AGENT=str(host.cargo_agent), STANDIN_DO=do, SCORE=SCORE)
    assert done.status == 0, done.err
    return int(done.out)


RUSTC = '"$RUSTC_WRAPPER" bash -c "$SCORE" --crate-name x'


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ('bash -c "$SCORE"', CARGO),  # as a build script
        (f"{RUSTC} --crate-type lib", COMPILER),
        (f"{RUSTC} --crate-type bin --emit=link", LARGEST),
        (f"{RUSTC} --test", LARGEST),
        ('"${RUSTC_WRAPPER%/*}/runner" bash -c "$SCORE"', LARGEST),
        ('"${RUSTC_WRAPPER%/*}/program" bash -c "$SCORE"', CARGO),
    ],
)
def test_processes_of_cargo_have_a_higher_score_than_the_agent(shared_host: Host, do: str, expected: int) -> None:
    assert score(shared_host, do) == expected


def test_higher_score_is_not_lowered(shared_host: Host) -> None:
    assert score(shared_host, f"{RUSTC} --crate-type lib", before=950) == 950


def test_command_that_does_not_compile_keeps_the_score_of_the_agent(shared_host: Host) -> None:
    assert score(shared_host, 'bash -c "$SCORE"', before=7, words="metadata") == 7
