# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The exact text of what cargo_agent.sh says to an agent on its first day."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from .host import CHANNEL, Host, program, render

# What rustc says, by way of a STAND-IN.
SAYS = '"$RUSTC_WRAPPER" bash -c {} --crate-name serde --crate-type lib || exit 101'


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A host whose path needs no quotes."""
    return render(tmp_path_factory.mktemp("messages"))


@pytest.mark.parametrize(
    ("line", "env", "message"),
    [
        ("test", {}, "refused by the scope rule: test compiles and links each test target; no package is named. Instead: cargo_agent.sh test -p NAME"),
        ("t --workspace", {}, "refused by the scope rule: test compiles and links each test target; --workspace is every package. Instead: cargo_agent.sh test -p NAME"),
        ("nextest run -p 'nova-*'", {}, "refused by the scope rule: nextest compiles and links each test target; a pattern can be every package. Instead: cargo_agent.sh nextest run -p NAME"),
        ("llvm-cov --workspace", {}, "refused by the scope rule: llvm-cov compiles and links each test target; --workspace is every package. Instead: cargo_agent.sh llvm-cov -p NAME"),
        ("hack test --workspace", {}, "refused by the scope rule: hack compiles and links each test target; --workspace is every package. Instead: cargo_agent.sh hack test -p NAME"),
        ("build --all-targets", {}, "refused by the all-targets rule: it compiles every target at once. Instead: cargo_agent.sh build -p NAME --lib"),
        ("clippy --fix", {}, "refused by the all-targets rule: clippy without a target means --all-targets. Instead: cargo_agent.sh clippy --fix --lib"),
        ("check --all-features --tests", {}, "refused by the all-targets rule: --all-features with --tests is unbounded. Instead: cargo_agent.sh check -p NAME --tests"),
        ("fuzz run -s address parser", {}, "fuzz with --sanitizer 'address' is refused: a sanitizer reserves 20 TiB of address space or more and can't start under a cap. Leave the option out, or ask an operator to run it in a session without a hard limit, with NOVA_CARGO_LIMIT_AS=unlimited"),
        ("build", {"NOVA_CARGO_LIMIT_AS": "32G"}, "NOVA_CARGO_LIMIT_AS is 32G, above this host's policy; ask for at most 16G"),
        ("build", {"NOVA_CARGO_LIMIT_AS": "8"}, "NOVA_CARGO_LIMIT_AS is '8', a number without a unit: 8 bytes or 8 MiB (8M)? Write a whole number with K, M, G or T, as in 4G or 4096M, or 0 for no limit"),
        ("build", {"NOVA_CARGO_NPROC": "many"}, "NOVA_CARGO_NPROC is 'many'; write a whole number from 1 to 9999"),
        ("build", {"NOVA_CARGO_JOBS": "0"}, "NOVA_CARGO_JOBS is '0'; write a whole number from 1 to 9999"),
        ("build", {"NOVA_CARGO_SLOTS": "-1"}, "NOVA_CARGO_SLOTS is '-1'; write a whole number from 1 to 9999"),
        ("build", {"NOVA_CARGO_IDLE_MINUTES": "-1"}, "NOVA_CARGO_IDLE_MINUTES is '-1'; write a whole number from 0 to 9999"),
        ("build", {"NOVA_CARGO_ORPHAN_MINUTES": "1h"}, "NOVA_CARGO_ORPHAN_MINUTES is '1h'; write a whole number from 0 to 9999"),
        ("test -p x", {"NOVA_RUST_TEST_THREADS": "0"}, "NOVA_RUST_TEST_THREADS is '0'; write a whole number from 1 to 9999"),
        ("test", {"NOVA_CARGO_ALLOW_UNSCOPED_TEST": "true"}, "NOVA_CARGO_ALLOW_UNSCOPED_TEST is 'true'; write 1 or 0"),
        ("build", {"NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN": "yes"}, "NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN is 'yes'; write 1 or 0"),
        ("build", {"NOVA_CARGO_KEEP_RUSTC_WRAPPER": "false"}, "NOVA_CARGO_KEEP_RUSTC_WRAPPER is 'false'; write 1 or 0"),
        ("build", {"NOVA_CARGO_NO_LINK_NO_KEEP_MEMORY": "on"}, "NOVA_CARGO_NO_LINK_NO_KEEP_MEMORY is 'on'; write 1 or 0"),
        ("metadata", {"NOVA_CARGO_DEBUG": "2"}, "NOVA_CARGO_DEBUG is '2'; write 1 or 0"),
    ],
)  # fmt: skip
def test_refusals_have_this_exact_text(quiet: Host, line: str, env: dict[str, str], message: str) -> None:
    result = quiet.cargo(*shlex.split(line), **env)
    assert (result.status, result.err) == (2, f"cargo_agent: {message}\n")


def test_missing_pin_is_refused_with_this_exact_text(host: Host) -> None:
    (host.checkout / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.77.0"\n')
    assert host.cargo("build").err == (
        f"cargo_agent: '{host.checkout}/rust-toolchain.toml' pins Rust '1.77.0', which this host doesn't have; the host's own is "
        f"{CHANNEL}\n"
    )


@pytest.mark.parametrize(
    ("line", "env", "message"),
    [
        (
            "build",
            {"RUSTUP_TOOLCHAIN": "nightly"},
            "RUSTUP_TOOLCHAIN is ignored: rust-toolchain.toml or the host's pin applies; NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN=1 keeps it",
        ),
        ("build", {"NOVA_CARGO_SLOTS": "9"}, "NOVA_CARGO_SLOTS is 9, but this host has 2 slots: 2 applies"),
        ("build", {"NOVA_CARGO_LIMIT_AS": "off"}, "NOVA_CARGO_LIMIT_AS: no limit on address space"),
        ("test -p nova-lsp --test stdio_server", {}, "nova-lsp has stdio_server in its harness tests: --test tests"),
    ],
)
def test_notes_have_this_exact_text(quiet: Host, line: str, env: dict[str, str], message: str) -> None:
    result = quiet.cargo(*line.split(), **env)
    assert (result.status, result.err) == (0, f"cargo_agent: {message}\n")


@pytest.mark.parametrize(
    ("rustc", "message"),
    [
        ("echo 'error: the `wasm32-wasip1` target may not be installed' >&2; exit 1", "Rust has no standard library for wasm32-wasip1 on this host: ask an operator to add it to agent_toolchain_targets"),
        ("echo 'memory allocation of 65536 bytes failed' >&2; exit 1", 'rustc serde said "memory allocation of 65536 bytes failed" under the address space cap of 4G (NOVA_CARGO_LIMIT_AS): try NOVA_CARGO_LIMIT_AS=8G bash {} ...'),
        ("kill -SEGV $$", "rustc serde ended by signal 11 without a message under the address space cap of 4G (NOVA_CARGO_LIMIT_AS): try NOVA_CARGO_LIMIT_AS=8G bash {} ..."),
    ],
)  # fmt: skip
def test_last_line_of_a_failed_build_has_this_exact_text(quiet: Host, rustc: str, message: str) -> None:
    result = quiet.shell(f'bash "{quiet.cargo_agent}" build 2>&1 | cat', STANDIN_DO=SAYS.format(shlex.quote(rustc)))
    assert result.out.splitlines()[-1] == f"cargo_agent: {message.format(quiet.cargo_agent)}"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_noexec_temporary_folder_has_this_exact_text(quiet: Host, tmp_path: Path) -> None:
    command = (
        f"mount -t tmpfs -o noexec none {tmp_path} && TMPDIR={tmp_path} exec bash {quiet.cargo_agent} install --path ."
    )
    result = quiet.shell(f"unshare --mount bash -c '{command}'", STANDIN_STATUS="101")
    assert result.err == (
        f"cargo_agent: programs may not run in {tmp_path} (noexec), which cargo install and doc tests need: set TMPDIR to another "
        "folder\n"
    )


def test_refusing_guard_has_this_exact_text(host: Host) -> None:
    host.change_policy(GUARD="refuse")
    assert host.cargo("build", script=host.guard).err == (
        f"cargo_agent: cargo without the wrapper is refused on this host. Use: bash {host.prefix}/bin/cargo_agent.sh ...\n"
    )


def test_missing_toolchain_has_this_exact_text(host: Host) -> None:
    empty = program(host.root / "bin" / "nproc", "#!/bin/sh\necho 2\n").parent
    (host.prefix / "toolchain" / "env").unlink()
    assert host.cargo("metadata", PATH=f"{empty}:/usr/bin:/bin").err == (
        f"cargo_agent: there is no cargo on PATH, nor a toolchain in {host.prefix}/toolchain; ask an operator to apply role "
        "agent_toolchain\n"
    )
