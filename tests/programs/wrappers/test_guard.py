# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The guard: what `cargo` without a wrapper does, and which callers get the real cargo."""

from __future__ import annotations

from pathlib import Path

import pytest

from .host import CHANNEL, TRIPLE, Host, program, render

AS, CAP = "Max address space", (str(4 << 30),) * 2


@pytest.fixture(params=["redirect", "refuse"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return render(tmp_path, guard=request.param)


@pytest.fixture
def refusing(tmp_path: Path) -> Host:
    return render(tmp_path, guard="refuse")


def test_cargo_without_wrapper_gets_cap_gate_and_rules(host: Host) -> None:
    result = host.cargo("build", "--locked", script=host.guard)
    assert (result.args, result.limit(AS)) == (["build", "--locked"], CAP) and result.env["NOVA_CARGO_GATE"]
    assert "refused by the scope rule" in host.cargo("test", script=host.guard).err


def test_cargo_without_wrapper_is_refused_with_the_command_to_use(refusing: Host) -> None:
    for words in (["build"], ["test", "-p", "x"], ["--version"]):
        result = refusing.cargo(*words, script=refusing.guard)
        assert (result.status, result.ran) == (2, False)
        assert result.err == (
            f"cargo_agent: cargo without the wrapper is refused on this host. Use: bash {refusing.prefix}/bin/cargo_agent.sh ...\n"
        )


def test_other_toolchain_is_passed_to_rustup(guarded: Host) -> None:
    result = guarded.cargo("+nightly", "build", "--all-targets", script=guarded.guard, STANDIN_DO='echo "$0"')
    assert result.out == f"{guarded.prefix}/toolchain/bin/cargo\n"
    assert result.args == ["+nightly", "build", "--all-targets"]


def test_child_of_a_wrapped_cargo_runs_the_real_cargo(guarded: Host) -> None:
    child = f'[[ $INNER ]] || CARGO=x INNER=1 bash "{guarded.guard}" build --all-targets; echo "$0 $*"'
    real = guarded.toolchain(f"{CHANNEL}-{TRIPLE}")
    result = guarded.cargo("build", STANDIN_DO=child)
    assert result.out == f"{real} build --all-targets\n{real} build\n", result.err


def test_wrapper_as_ancestor_without_cargo_does_not_disable_the_guard(host: Host) -> None:
    # Like a shell or an agent that was started inside a command. cargo did not start it, so the rules apply.
    child = f'[[ $INNER ]] || INNER=1 bash "{host.guard}" build --all-targets; echo "$INNER status $?"'
    result = host.cargo("build", STANDIN_DO=child, CARGO=None)
    assert result.out == " status 2\n" and "refused by the all-targets rule" in result.err


@pytest.mark.parametrize("env", [{"CARGO": "x"}, {"CARGO": "x", "NOVA_CARGO_GATE": "1 1 1 0 0 99 4 5"}])
def test_environment_alone_does_not_disable_the_guard(guarded: Host, env: dict[str, str]) -> None:
    assert guarded.cargo("build", "--all-targets", script=guarded.guard, **env).status == 2


@pytest.mark.parametrize("words", ["check --workspace --message-format=json --all-targets", "c --message-format json"])
def test_call_of_an_editor_gets_cap_and_gate_without_rules(guarded: Host, words: str) -> None:
    result = guarded.cargo(*words.split(), script=guarded.guard)
    assert (result.status, result.args, result.limit(AS)) == (0, words.split(), CAP), result.err
    assert result.env["NOVA_CARGO_GATE"]


def test_arguments_of_an_editor_do_not_allow_other_commands(host: Host) -> None:
    assert host.cargo("check", "--all-targets", "--message-format=json").status == 2  # the wrapper itself
    assert host.cargo("test", "--message-format=json", script=host.guard).status == 2
    assert host.cargo("build", "--all-targets", "--message-format=json", script=host.guard).status == 2
    assert host.cargo("build", "--all-targets", EDITOR_CALL="1").status == 2


def test_guard_never_calls_itself(host: Host) -> None:
    (host.prefix / "toolchain" / "env").unlink()
    shims = program(host.prefix / "shims" / "cargo", f'#!/bin/sh\nexec "{host.guard}" "$@"\n').parent
    links = host.root / "links"
    links.mkdir()
    (links / "cargo").symlink_to(shims / "cargo")
    result = host.cargo("build", script=host.guard, PATH=f"{links}:{shims}:{host.guard.parent}:/usr/bin:/bin")
    assert (result.status, len(result.lines)) == (2, 1)
    assert "there is no cargo on PATH" in result.err
