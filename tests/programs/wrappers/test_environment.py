# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""cargo_agent.sh: the cargo that it runs, the cap and the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .host import CHANNEL, GUARD, ROLE, STAND_IN, TRIPLE, Host, eventually, program, render, sleeps, tree

GIB = 1 << 30
AS = "Max address space"
IGNORING = "cargo_agent: RUSTUP_TOOLCHAIN is ignored: rust-toolchain.toml or the host's pin applies; NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN=1 keeps it\n"


def nproc(host: Host, count: object) -> str:
    """A PATH on which a STAND-IN for nproc counts ``count`` CPUs."""
    return (
        f"{program(host.root / 'nproc' / 'nproc', f'#!/bin/bash{chr(10)}echo {count}{chr(10)}').parent}:/usr/bin:/bin"
    )


# ---- cap ----


def test_cap_applies_to_all_commands(host: Host) -> None:
    for words in (["build"], ["metadata"], ["fuzz", "run", "x"], ["nextest", "run", "-p", "x"], ["--version"]):
        assert host.cargo(*words).limit(AS) == (str(4 * GIB),) * 2, words


@pytest.mark.parametrize(("text", "value"), [("8G", str(8 * GIB)), ("512M", str(GIB // 2)), ("unlimited", "unlimited")])
def test_cap_can_be_changed(host: Host, text: str, value: str) -> None:
    assert host.cargo("build", NOVA_CARGO_LIMIT_AS=text).limit(AS) == (value, value)


@pytest.mark.parametrize(
    ("session", "asked", "value", "line"),
    [
        ("64G:64G", None, "4G", ""),
        ("2G:64G", None, "4G", ""),
        ("64G:64G", "unlimited", "64G", "NOVA_CARGO_LIMIT_AS: address space is raised to the session's hard limit, 64G"),
        ("2G:2G", None, "2G", "this session's hard limit on address space, 2G, is lower than the default (4G): 2G applies"),
        ("2G:2G", "1G", "1G", ""),
        ("2G:2G", "8G", None, "NOVA_CARGO_LIMIT_AS is 8G, above this session's hard limit on address space; ask for at most 2G"),
    ],
)  # fmt: skip
def test_session_limit_and_cap_are_combined(
    host: Host, session: str, asked: str | None, value: str | None, line: str
) -> None:
    limit = ":".join(str(int(size[:-1]) * GIB) for size in session.split(":"))
    result = host.shell(
        f'exec prlimit --as={limit} bash "{host.cargo_agent}" build',
        NOVA_CARGO_LIMIT_AS=asked,
        STANDIN_DO="ulimit -Sv; ulimit -Hv",
    )
    assert result.out == (f"{int(value[:-1]) << 20}\n" * 2 if value else "")
    assert (result.status, result.err) == (0 if value else 2, f"cargo_agent: {line}\n" if line else "")


@pytest.mark.parametrize("text", ["8", "32G", "lots", "-1", "4G;id", "64K"])
def test_invalid_cap_is_refused(host: Host, text: str) -> None:
    result = host.cargo("build", NOVA_CARGO_LIMIT_AS=text)
    assert (result.status, result.ran, len(result.lines)) == (2, False, 1)
    assert result.err.startswith("cargo_agent: NOVA_CARGO_LIMIT_AS is ")


DIES = '"$RUSTC_WRAPPER" bash -c "echo out of memory >&2; exit 1" --crate-name serde || exit 101'


def closing(host: Host, script: Path | None = None, session: str = "unlimited", **env: str) -> str:
    """The advice if a process died at its cap."""
    text = f'ulimit -v {session}; exec bash "{script or host.cargo_agent}" build'
    failed = host.shell(text, STANDIN_DO=DIES, **env)
    assert failed.status == 101
    return failed.lines[-1].partition("(NOVA_CARGO_LIMIT_AS): ")[2]


def test_last_line_has_useful_advice(host: Host) -> None:
    retry = f"try NOVA_CARGO_LIMIT_AS={{}} bash {host.cargo_agent} ..."
    most = "this is the maximum: try fewer jobs (NOVA_CARGO_JOBS=1), or ask an operator"
    assert closing(host) == retry.format("8G")
    assert closing(host, NOVA_CARGO_LIMIT_AS="3G") == retry.format("6G")
    assert closing(host, NOVA_CARGO_LIMIT_AS="12G") == retry.format("16G")  # the maximum of the policy
    assert closing(host, NOVA_CARGO_LIMIT_AS="16G") == most
    assert closing(host, session=str(6 << 20)) == retry.format("6G")
    assert closing(host, session=str(4 << 20)) == most
    assert closing(host, session=str(2 << 20)) == most
    assert closing(host, script=host.guard) == retry.format("8G")  # the guard itself has no cap


def test_other_failure_has_no_last_line(host: Host) -> None:
    assert host.cargo("build", STANDIN_STATUS="101").err == ""
    assert (
        len(host.cargo("build", STANDIN_DO=DIES, NOVA_CARGO_LIMIT_AS="off").lines) == 2
    )  # that there is no cap; its own


@pytest.mark.parametrize("name", ["ulimit", "cd"])
def test_exported_function_does_not_change_the_cap(host: Host, name: str) -> None:
    assert host.cargo("build", **{f"BASH_FUNC_{name}%%": "() { :; }"}).limit(AS) == (str(4 * GIB),) * 2


def test_output_of_cargo_is_not_changed(host: Host) -> None:
    result = host.cargo("build", STANDIN_DO="printf 'a\\x1b[1m\\0b'; printf 'err\\x1b[0m' >&2")
    assert (result.out, result.err) == ("a\x1b[1m\0b", "err\x1b[0m")


def test_cargo_uses_the_terminal_directly(host: Host) -> None:
    leader, terminal = os.openpty()
    process = subprocess.Popen(
        ["bash", str(host.cargo_agent), "build"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=host.checkout,
        env=host.environment(STANDIN_DO="[[ -t 0 && -t 1 && -t 2 ]] && echo terminal"),
    )
    os.close(terminal)
    assert process.wait(timeout=GUARD) == 0
    assert os.read(leader, 100) == b"terminal\r\n"
    os.close(leader)


# Notes each signal. The program of `cargo run` has cargo-command and memory-gate above it in the same foreground.
COUNT = """import os, pathlib, signal
root = pathlib.Path(os.environ["TEST_ROOT"])
def note(*_):
    with open(root / "signals", "a") as log: log.write("INT\\n")
signal.signal(signal.SIGINT, note)
(root / "began").touch()
while not (root / "go").exists(): signal.sigtimedwait([], 0.02)
"""


def test_interrupt_of_a_terminal_reaches_a_program_once(host: Host) -> None:
    leader, terminal = os.openpty()
    program(host.root / "count", f"#!/usr/bin/python3\n{COUNT}")
    env = host.environment(
        TEST_ROOT=str(host.root), STANDIN_DO=f'exec "${{RUSTC_WRAPPER%/*}}/program" "{host.root / "count"}"'
    )
    words: list[object] = ["setsid", "--ctty", "--wait", "bash", host.cargo_agent, "run"]
    process = subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=terminal, cwd=host.checkout, env=env)  # type: ignore[arg-type]
    os.close(terminal)
    eventually((host.root / "began").exists)
    os.write(leader, b"\x03")
    eventually((host.root / "signals").exists)
    eventually(lambda: all(map(sleeps, tree(process.pid))))
    assert (host.root / "signals").read_text() == "INT\n"
    # The sender of a second one may mean only cargo_agent.sh: it is passed on.
    os.write(leader, b"\x03")
    eventually(lambda: (host.root / "signals").read_text().count("INT") > 2)
    (host.root / "go").touch()
    assert process.wait(timeout=GUARD) == 0
    os.close(leader)


@pytest.mark.parametrize("value", [None, "", "C.UTF-8", "no_SUCH"])
@pytest.mark.parametrize("words", [["build"], ["metadata"], ["+nightly", "build"]])
def test_locale_is_not_changed(host: Host, value: str | None, words: list[str]) -> None:
    for script in (host.cargo_agent, host.guard):
        result = host.cargo(*words, script=script, LC_ALL=value)
        assert "perl" not in result.err
        assert (result.env.get("LC_ALL"), result.env["LANG"]) == (value, "C.UTF-8"), result.err
        assert (
            result.err.count("cannot change locale") <= 2
        )  # bash's own, as it starts: the wrapper's and the stand-in's


# ---- jobs, threads, memory of many cores ----


@pytest.mark.parametrize(
    ("policy", "env", "jobs"),
    [
        ("cargo", {}, None),
        ("cargo", {"NOVA_CARGO_JOBS": "3"}, "3"),
        (32, {}, "32"),
        (32, {"NOVA_CARGO_JOBS": "64"}, "64"),
        (32, {"CARGO_BUILD_JOBS": "5"}, "5"),
        (32, {"CARGO_BUILD_JOBS": "5", "NOVA_CARGO_JOBS": "6"}, "6"),
    ],
)
def test_jobs_are_set_for_cargo_and_its_children(
    tmp_path: Path, policy: object, env: dict[str, str], jobs: str | None
) -> None:
    result = render(tmp_path, jobs=policy).cargo("nextest", "run", "-p", "x", **env)
    assert result.env.get("CARGO_BUILD_JOBS") == jobs
    assert result.args == ["nextest", "run", "-p", "x"]


@pytest.mark.parametrize(
    ("cpus", "env", "threads"),
    [
        (192, {}, "8"),
        (4, {}, "4"),
        (192, {"NOVA_RUST_TEST_THREADS": "32"}, "32"),
        (192, {"RUST_TEST_THREADS": "1"}, "1"),
        (192, {"RUST_TEST_THREADS": "99"}, "8"),
        (192, {"RUST_TEST_THREADS": "broken"}, "8"),
        (192, {"RUST_TEST_THREADS": "99", "NEXTEST_TEST_THREADS": "99"}, "8"),
        (192, {"NEXTEST_TEST_THREADS": "99", "NOVA_RUST_TEST_THREADS": "32"}, "32"),
        (192, {"NEXTEST_TEST_THREADS": "num-cpus"}, "8"),
    ],
)
def test_test_threads_are_limited(host: Host, cpus: int, env: dict[str, str], threads: str) -> None:
    result = host.cargo("test", "-p", "x", PATH=nproc(host, cpus), **env)
    assert (result.env["RUST_TEST_THREADS"], result.env["NEXTEST_TEST_THREADS"]) == (threads, threads)


def test_fewer_test_threads_can_be_requested_by_both_variables(host: Host) -> None:
    env = host.cargo("nextest", "run", "-p", "x", PATH=nproc(host, 192), NEXTEST_TEST_THREADS="3").env
    assert (env["RUST_TEST_THREADS"], env["NEXTEST_TEST_THREADS"]) == ("8", "3")
    both = {"RUST_TEST_THREADS": "1", "NEXTEST_TEST_THREADS": "99"}
    env = host.cargo("nextest", "run", "-p", "x", PATH=nproc(host, 192), **both).env
    assert (env["RUST_TEST_THREADS"], env["NEXTEST_TEST_THREADS"]) == ("1", "8")


@pytest.mark.parametrize(
    ("words", "capped"),
    [
        *((line, True) for line in ("test -p x", "bench -p x", "nextest run -p x", "miri test -p x", "t -p x")),
        *(
            (line, True) for line in ("hack test -p x", "llvm-cov -p x", "careful test -p x", "xtask")
        ),  # what is unknown may test
        *((line, False) for line in ("build", "clippy", "run", "metadata", "fuzz run x", "--version")),
    ],
)
def test_test_threads_are_limited_for_all_commands_that_may_run_tests(host: Host, words: str, capped: bool) -> None:
    env = host.cargo(*words.split(), PATH=nproc(host, 192)).env
    assert (env.get("RUST_TEST_THREADS"), env.get("NEXTEST_TEST_THREADS")) == (("8", "8") if capped else (None, None))


def test_many_cores_get_few_arenas_and_a_bounded_stack(host: Host) -> None:
    text = f"ulimit -Ss 65536; exec bash {host.cargo_agent} build"
    result = host.shell(text, STANDIN_DO="echo $MALLOC_ARENA_MAX $(ulimit -Ss) $(ulimit -Hs)")
    assert result.out == "2 8192 unlimited\n"
    # Without a limit, the stack of a thread has 2 MiB.
    assert host.shell(text.replace("65536", "unlimited"), STANDIN_DO="ulimit -Ss").out == "unlimited\n"
    assert host.cargo("build", MALLOC_ARENA_MAX="4").env["MALLOC_ARENA_MAX"] == "4"
    assert host.cargo("build", MALLOC_ARENA_MAX="many").env["MALLOC_ARENA_MAX"] == "2"
    assert "MALLOC_ARENA_MAX" not in host.cargo("build", NOVA_CARGO_LIMIT_AS="unlimited").env


# SIMULATES 192 CPUs: glibc then makes up to 1536 arenas, and cargo and the linker as many threads as there are CPUs.
THREADS = """
import ctypes, threading
libc, barrier = ctypes.CDLL(None), threading.Barrier(192)
libc.malloc.restype = ctypes.c_void_p
def work():
    libc.malloc(1000)
    barrier.wait()
threads = [threading.Thread(target=work, daemon=True) for _ in range(192)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("all ran")
"""
SIMULATION = 'MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-1536} exec python3 -c "$THREADS" 2>/dev/null'


@pytest.mark.parametrize(
    "setting", ["MALLOC_ARENA_MAX=1536", "MALLOC_ARENA_MAX=2; ulimit -Ss 65536"], ids=["arenas", "stacks"]
)
def test_process_with_192_threads_fits_only_with_the_settings_of_the_wrapper(host: Host, setting: str) -> None:
    bare = host.shell(f"ulimit -v 4194304; {setting}; {SIMULATION}", THREADS=THREADS)
    assert bare.out == "", "the simulation has lost its point: it fits without the wrapper's settings"
    wrapped = host.shell(
        f'ulimit -Ss 65536; exec bash "{host.cargo_agent}" build', THREADS=THREADS, STANDIN_DO=SIMULATION
    )
    assert wrapped.out == "all ran\n", wrapped.err


def test_glibc_tunable_overrides_the_arenas_as_documented(host: Host) -> None:
    text = f'exec bash "{host.cargo_agent}" build'
    tunable = "glibc.malloc.arena_max=1536"
    assert host.shell(text, THREADS=THREADS, STANDIN_DO=SIMULATION).out == "all ran\n"
    assert host.shell(text, THREADS=THREADS, STANDIN_DO=SIMULATION, GLIBC_TUNABLES=tunable).out == ""
    assert f"GLIBC_TUNABLES={tunable}" in (ROLE.parents[1] / "docs" / "wrappers.md").read_text()


FLAG = "-Clink-arg=-Wl,--no-keep-memory"


@pytest.mark.parametrize(
    ("words", "flagged"),
    [
        ("--crate-type bin", True),
        ("--test", True),
        ("--crate-type=cdylib", True),
        ("--crate-type proc-macro", True),
        ("--crate-type dylib --crate-type rlib", True),
        ("--crate-type bin --emit=dep-info,link", True),
        ("--crate-type bin --target aarch64-unknown-linux-gnu", True),
        ("--crate-type bin -C linker=/usr/bin/x86_64-linux-gnu-gcc-12", True),
        ("--crate-type bin -Clinker=clang -Clink-arg=-fuse-ld=mold", True),
        ("--crate-type bin -Clink-arg=-fuse-ld=/usr/bin/ld.lld", True),
        ("--crate-type lib", False),
        ("--crate-type bin --emit=dep-info,metadata", False),
        ("--test --emit metadata", False),
        ("--crate-type cdylib --target wasm32-unknown-unknown", False),
        ("--crate-type bin --target=x86_64-pc-windows-gnu", False),
        ("--crate-type bin -C linker=rust-lld", False),
        ("--crate-type bin -Clinker=ld.lld", False),
        ("--crate-type bin --codegen=linker=/opt/wild", False),
        ("--crate-type bin -Clinker-flavor=ld", False),
        ("--crate-type bin -C link-arg=-fuse-ld=wild", False),
        ("--crate-type bin -Clinker=clang -Clink-arg=--ld-path=/usr/bin/ld.lld-18", True),
        ("--crate-type bin -Clinker=clang -Clink-arg=--ld-path=/opt/ld/wild", False),
        ("--crate-type bin -C link-arg=-fuse-ld=/opt/ld/wild", False),
        ("--crate-type bin --target aarch64-linux-android", True),
        ("--crate-type bin --target x86_64-unknown-linux-none", False),
        ("--crate-type bin --target /a-linux-b/x86_64-kernel.json", False),
        ("--crate-type bin --target=targets/x86_64-linux-kernel.json", False),
    ],
)
def test_only_links_that_support_the_linker_flag_get_it(host: Host, words: str, flagged: bool) -> None:
    asked = f'"$RUSTC_WRAPPER" echo --crate-name x {words}'
    assert (FLAG in host.cargo("build", STANDIN_DO=asked).out.split()) is flagged
    for out in ({"NOVA_CARGO_NO_LINK_NO_KEEP_MEMORY": "1"}, {"NOVA_CARGO_LIMIT_AS": "unlimited"}):
        assert FLAG not in host.cargo("build", STANDIN_DO=asked, **out).out


@pytest.mark.parametrize("name", ["RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"])
def test_flags_of_rustc_are_not_changed(host: Host, name: str) -> None:
    assert host.cargo("build", **{name: "-g"}).env[name] == "-g"
    assert name not in host.cargo("build").env


@pytest.mark.parametrize("name", ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"])
def test_rustc_wrappers_are_removed_unless_kept(host: Host, name: str) -> None:
    gate = str(host.libexec / "memory-gate") if name == "RUSTC_WRAPPER" else None
    # With an empty value cargo would rebuild everything.
    assert host.cargo("build", **{name: "sccache"}).env.get(name) == gate
    kept = host.cargo("build", **{name: "sccache"}, NOVA_CARGO_KEEP_RUSTC_WRAPPER="1")
    assert kept.env[name] == (gate or "sccache")


@pytest.mark.parametrize("way", ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER", "configuration"])
def test_kept_rustc_wrapper_runs_below_the_gate(host: Host, way: str) -> None:
    own = program(host.root / "own", '#!/bin/sh\necho "own $*"\n')
    env = {way: str(own)} if way != "configuration" else {}
    (host.checkout / ".cargo").mkdir()
    if not env:
        (host.checkout / ".cargo" / "config.toml").write_text(f'[build]\nrustc-wrapper = "{own}"\n')
    nested = f'"$RUSTC_WRAPPER" rustc --crate-name x; [[ $INNER ]] || INNER=1 bash "{host.cargo_agent}" build'
    result = host.cargo("build", NOVA_CARGO_KEEP_RUSTC_WRAPPER="1", STANDIN_DO=nested, **env)
    assert result.out == "own rustc --crate-name x\n" * 2, result.err
    assert "own" not in host.cargo("build", STANDIN_DO='"$RUSTC_WRAPPER" echo rustc', **env).out


RUNNER = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("RUSTC_WRAPPER", "NOVA_CARGO_INNER"),
        ("CARGO_BUILD_RUSTC_WRAPPER", "NOVA_CARGO_INNER"),
        ("RUSTDOC", "NOVA_CARGO_RUSTDOC"),
        ("CARGO_BUILD_RUSTDOC", "NOVA_CARGO_RUSTDOC"),
        (RUNNER, "NOVA_CARGO_RUNNER"),
    ],
)
@pytest.mark.parametrize(("path", "known"), [("../own", "{}/x/../own"), ("own", "own"), ("/own", "/own")])
def test_relative_program_is_found_from_other_folders(
    host: Host, name: str, known_as: str, path: str, known: str
) -> None:
    """cargo starts rustc, rustdoc and tests in the folders of packages, and resolves these paths before."""
    (host.checkout / "x").mkdir()
    env = {name: path, "NOVA_CARGO_KEEP_RUSTC_WRAPPER": "1"}
    result = host.cargo("test", "-p", "x", cwd=host.checkout / "x", **env)
    assert (result.err, result.env[known_as]) == ("", known.format(host.checkout))


def test_relative_wrapper_of_the_configuration_is_found_from_other_folders(host: Host) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / "x").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text("[build]\nrustc-wrapper = 'tools/own'\n")
    result = host.cargo("build", cwd=host.checkout / "x", NOVA_CARGO_KEEP_RUSTC_WRAPPER="1")
    assert (result.err, result.env["NOVA_CARGO_INNER"]) == ("", f"{host.checkout}/tools/own")


# ---- toolchain ----


def ran(host: Host, *words: str, cwd: Path | None = None, **env: str | None) -> tuple[str, str | None, str]:
    """The cargo that ran, its RUSTUP_TOOLCHAIN, and the messages of the wrapper."""
    result = host.cargo(*words, cwd=cwd, STANDIN_DO='echo "$0"', **env)
    return result.out.strip(), result.env.get("RUSTUP_TOOLCHAIN"), result.err


def test_cargo_of_the_toolchain_is_first_on_path(host: Host) -> None:
    own = host.toolchain(f"{CHANNEL}-{TRIPLE}")
    # Also without a PATH, as under `env -i`.
    assert (host.cargo("build", PATH=None).env.get("PATH") or "").startswith(f"{host.libexec}/nested:{own.parent}:")
    assert ran(host, "build") == (str(own), f"{CHANNEL}-{TRIPLE}", "")
    result = host.cargo("build")
    assert result.env["PATH"].startswith(f"{host.libexec}/nested:{own.parent}:")
    assert result.env["RUSTUP_HOME"] == str(host.home)


def test_pin_overrides_rustup_toolchain_with_one_message(host: Host) -> None:
    own = str(host.toolchain(f"{CHANNEL}-{TRIPLE}"))
    assert ran(host, "build", RUSTUP_TOOLCHAIN="nightly") == (own, f"{CHANNEL}-{TRIPLE}", IGNORING)


def test_nested_call_uses_the_generation_of_the_build(host: Host) -> None:
    older = host.prefix / "toolchain-older" / "rustup"
    own = older / "toolchains" / f"{CHANNEL}-{TRIPLE}" / "bin" / "cargo"
    program(own, STAND_IN)
    program(older.parent / "bin" / "cargo", STAND_IN)
    nested = f'STANDIN_DO=\'echo "$0"\' RUSTUP_HOME="{older}" bash "{host.cargo_agent}" build'
    assert host.cargo("build", STANDIN_DO=nested).out == f"{own}\n"
    assert host.cargo("build", RUSTUP_HOME=str(older)).env["RUSTUP_HOME"] == str(host.home)
    elsewhere = nested.replace(str(older), "/nowhere")
    assert host.cargo("build", STANDIN_DO=elsewhere).out == f"{host.toolchain(own.parts[-3])}\n"


@pytest.mark.parametrize(
    ("words", "env"), [(["+nightly", "build"], {}), (["build"], {"NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN": "1"})]
)
def test_explicit_toolchain_is_passed_to_rustup(host: Host, words: list[str], env: dict[str, str]) -> None:
    proxy = str(host.prefix / "toolchain" / "bin" / "cargo")
    assert ran(host, *words, RUSTUP_TOOLCHAIN="beta", **env) == (proxy, "beta", "")
    assert host.cargo(*words).args == words


def test_rules_apply_to_other_toolchains(host: Host) -> None:
    assert "scope rule" in host.cargo("+nightly", "test").err


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.93.0"\n'),
        ("rust-toolchain.toml", "toolchain.channel = '1.93.0'"),
        ("rust-toolchain.toml", 'toolchain = { channel = "1.93.0", components = ["clippy"] } # pin\n'),
        ("rust-toolchain", "1.93.0\n"),
        ("rust-toolchain", '[toolchain]\nchannel="1.93.0"'),
        ("rust-toolchain.toml", f'[toolchain]\nchannel = "1.93.0-{TRIPLE}"\n'),
        ("rust-toolchain.toml", '[ toolchain ]\n"channel" = "1.93.0" # ours\n'),
        ("rust-toolchain.toml", '\ufeff[toolchain]\r\nchannel = "1.93.0"\r\n'),
        ("rust-toolchain.toml", '"toolchain" . "channel" = "1.93.0"\n'),
        ("rust-toolchain", "1.93.0\r\n"),
    ],
)
def test_other_pin_of_a_repository_is_used_if_installed(host: Host, file: str, text: str) -> None:
    (host.checkout / file).write_text(text)
    below = host.checkout / "crates"
    below.mkdir()
    missing = host.cargo("build", cwd=below)
    assert (missing.status, missing.ran) == (2, False)
    assert missing.err.startswith(f"cargo_agent: '{host.checkout / file}' pins Rust '1.93.0")
    assert missing.err.endswith(f"', which this host doesn't have; the host's own is {CHANNEL}\n")
    other = program(host.toolchain(f"1.93.0-{TRIPLE}"), STAND_IN)
    assert ran(host, "build", cwd=below) == (str(other), f"1.93.0-{TRIPLE}", "")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = """1.77.0"""\n'),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.7\\u0037.0"\n'),
        ("rust-toolchain.toml", '[toolchain]\nchannel = ""\n'),
        ("rust-toolchain.toml", 'channel = "1.77.0"\n'),
        ("rust-toolchain.toml", "1.77.0\n"),  # rustup accepts this only in a file without an extension
        ("rust-toolchain", "1.77.0\nx\n"),
    ],
)
def test_pin_that_cannot_be_parsed_is_refused(host: Host, file: str, text: str) -> None:
    (host.checkout / file).write_text(text)
    result = host.cargo("build")
    assert (result.status, result.ran) == (2, False)
    assert result.err == (
        f"cargo_agent: '{host.checkout / file}' has no channel that the wrapper can parse; "
        f'write channel = "{CHANNEL}" on a line of its own below [toolchain]\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# none\n",
        '[toolchain]\ncomponents = ["clippy"]\n',
        'toolchain = { components = ["clippy"] }',
        f'[toolchain]\nchannel = "{CHANNEL}"\n',
    ],
)
def test_same_or_missing_pin_selects_the_pin_of_the_host(host: Host, text: str) -> None:
    (host.checkout / "rust-toolchain.toml").write_text(text)
    assert ran(host, "build")[0] == str(host.toolchain(f"{CHANNEL}-{TRIPLE}"))


@pytest.mark.parametrize("channel", ["../../../../checkout/evil", "/tmp/evil", "$(touch injected)", "*", "1.9"])
def test_pin_cannot_select_another_path(host: Host, channel: str) -> None:
    program(host.checkout / "evil" / "bin" / "cargo", STAND_IN)
    (host.checkout / "rust-toolchain.toml").write_text(f'[toolchain]\nchannel = "{channel}"\n')
    assert (host.cargo("build").status, (host.checkout / "injected").exists()) == (2, False)


@pytest.mark.parametrize(
    ("pin", "installed"),
    [
        *(("1.92", True), ("stable", True), ("1.9", False), ("1", True), ("nightly", False)),
        *((f"1.92-{TRIPLE}", True), (f"stable-{TRIPLE}", True), (f"1.91-{TRIPLE}", False)),
    ],
)
def test_pin_without_a_patch_number_selects_a_matching_pin_of_the_host(host: Host, pin: str, installed: bool) -> None:
    (host.checkout / "rust-toolchain.toml").write_text(f'[toolchain]\nchannel = "{pin}"\n')
    result = host.cargo("build")
    assert (result.status, result.env.get("RUSTUP_TOOLCHAIN")) == (
        (0, f"{CHANNEL}-{TRIPLE}") if installed else (2, None)
    )


def test_toolchain_can_be_selected_below_the_wrapper(host: Host) -> None:
    for words, expected in (("+1.92.0 --version", "rustup"), ("--version", "own")):
        program(host.toolchain(f"{CHANNEL}-{TRIPLE}"), STAND_IN + "echo own\n")
        program(host.prefix / "toolchain" / "bin" / "cargo", '#!/bin/sh\necho "rustup $1"\n')
        result = host.cargo("build", STANDIN_DO=f"[[ ${{INNER-}} ]] || INNER=1 cargo {words}; echo $0 >&2")
        assert result.out.split()[0] == expected if expected == "rustup" else result.err.count("/bin/cargo") == 2, (
            result
        )


# ---- runners of tests and programs ----


def runner(host: Host, words: str, text: str = "", **env: str) -> tuple[str, list[str]]:
    """The runner of cargo, and the repository's runner behind it."""
    (host.checkout / ".cargo").mkdir(exist_ok=True)
    (host.checkout / ".cargo" / "config.toml").write_text(text)
    result = host.cargo(*words.split(), **env)
    assert result.args == words.split()
    own = result.env.get("NOVA_CARGO_RUNNER", "")
    return result.env.get(RUNNER, "").removeprefix(f"{host.libexec}/"), own.split("\x1f") if own else []


@pytest.mark.parametrize(
    ("words", "name"),
    [("run", "program"), ("r -- x", "program"), ("test -p x", "runner"), ("nextest run -p x", "runner"), ("build", "")],
)
def test_tests_and_programs_run_through_the_gate(host: Host, words: str, name: str) -> None:
    assert runner(host, words) == (name, [])


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("[target.x86_64-unknown-linux-gnu]\nrunner = 'x y'\n", ["x", "y"]),
        ("[target.x86_64-unknown-linux-gnu]\nrunner = ['x', 'y z']\n", ["x", "y z"]),
        ('[target.x86_64-unknown-linux-gnu]\nrunner = """\nx\n  y"""\n', ["x", "y"]),
        ("[target.x86_64-unknown-linux-gnu]\nrunner = [\n  'x',\n  'y',\n]\n", ["x", "y"]),
        ("[target.'cfg(unix)']\nrunner='x'\n", ["x"]),
        ("target.'cfg(unix)'.runner='x'\n", ["x"]),
        ("[target.'cfg(all(target_os = \"linux\", not(windows)))']\nrunner='x'\n", ["x"]),
        ("[target.'cfg(any(windows, target_arch = \"x86_64\"))']\nrunner='x'\n", ["x"]),
        ("[target.'cfg(windows)']\nrunner='x'\n", []),
        ("[target.'cfg(target_arch = \"wasm32\")']\nrunner='x'\n", []),
        ("[target.wasm32-wasip1]\nrunner='wasmtime'\n", []),
        ("# runner = 'x'\n[profile.dev]\ndebug = 1 # no runner here\n", []),
        ("include = 'more.toml'\n", ["included"]),
    ],
)
def test_runner_of_the_repository_runs_behind_the_gate(host: Host, text: str, own: list[str]) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "more.toml").write_text("[target.'cfg(unix)']\nrunner = 'included'\n")
    assert runner(host, "test -p x", text) == ("runner", own)


@pytest.mark.parametrize(
    ("words", "text", "variable", "targets"),
    [
        ("--target=aarch64-unknown-linux-gnu", "", None, ["AARCH64_UNKNOWN_LINUX_GNU"]),
        ("--target i686-unknown-linux-gnu --target aarch64-unknown-linux-gnu", "", None, ["AARCH64_UNKNOWN_LINUX_GNU", "I686_UNKNOWN_LINUX_GNU"]),
        ("", "", "i686-unknown-linux-gnu", ["I686_UNKNOWN_LINUX_GNU"]),
        ("", "[build]\ntarget = 'i686-unknown-linux-gnu'\n", None, ["I686_UNKNOWN_LINUX_GNU"]),
        ("", "build = { jobs = 2, target = 'i686-unknown-linux-gnu' }\n", None, ["I686_UNKNOWN_LINUX_GNU"]),
        ("--config build.target='i686-unknown-linux-gnu'", "", "aarch64-unknown-linux-gnu", ["I686_UNKNOWN_LINUX_GNU"]),
        ('--config build.target=["i686-unknown-linux-gnu","aarch64-unknown-linux-gnu"]', "", None, ["AARCH64_UNKNOWN_LINUX_GNU", "I686_UNKNOWN_LINUX_GNU"]),
        ("--config build.target='x' --target i686-unknown-linux-gnu", "", None, ["I686_UNKNOWN_LINUX_GNU"]),
        ("--config build.target-dir='x'", "", "aarch64-unknown-linux-gnu", ["AARCH64_UNKNOWN_LINUX_GNU"]),
        ("", "include = 'more.toml'\n", None, ["RISCV64GC_UNKNOWN_LINUX_GNU"]),
        ("--config .cargo/more.toml", "[build]\ntarget = 'x'\n", "i686-unknown-linux-gnu", ["RISCV64GC_UNKNOWN_LINUX_GNU"]),
        ("--config=.cargo/more.toml --config build.target='i686-unknown-linux-gnu'", "", None, ["I686_UNKNOWN_LINUX_GNU"]),
        ("", "[build]\ntarget = '''i686-unknown-linux-gnu'''\n", None, ["I686_UNKNOWN_LINUX_GNU"]),
        ("", '[build]\ntarget = """\ni686-unknown-linux-gnu"""\n', None, ["I686_UNKNOWN_LINUX_GNU"]),
        ("--target aarch64-unknown-linux-gnu", "[build]\ntarget = 'i686-unknown-linux-gnu'\n", "x", ["AARCH64_UNKNOWN_LINUX_GNU"]),
        ("--target ./targets/my-linux-gnu.json", "", None, ["MY_LINUX_GNU"]),
        ("--target wasm32-wasip1", "[target.wasm32-wasip1]\nrunner = 'wasmtime'\n", None, ["X86_64_UNKNOWN_LINUX_GNU", "X86_64_UNKNOWN_LINUX_MUSL"]),
    ],
)  # fmt: skip
def test_tests_for_another_linux_target_run_through_the_gate(
    host: Host, words: str, text: str, variable: str | None, targets: list[str]
) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text(text)
    (host.checkout / ".cargo" / "more.toml").write_text("[build]\ntarget = ['riscv64gc-unknown-linux-gnu']\n")
    env = host.cargo("test", "-p", "x", *words.split(), CARGO_BUILD_TARGET=variable).env
    names = [name for name in env if name.endswith("_RUNNER") and env[name] == f"{host.libexec}/runner"]
    assert sorted(names) == [f"CARGO_TARGET_{target}_RUNNER" for target in targets]


def test_runner_of_the_environment_runs_behind_the_gate(host: Host) -> None:
    assert runner(host, "test -p x", **{RUNNER: "x y"}) == ("runner", ["x", "y"])
    assert runner(host, "test -p x", **{RUNNER: f"{host.libexec}/runner"}) == ("runner", [])


def test_command_runs_without_stderr_or_a_working_directory(host: Host) -> None:
    for stderr in (">&-", ">/dev/full"):
        result = host.shell(
            f'exec bash "{host.cargo_agent}" build 2{stderr}', RUSTUP_TOOLCHAIN="x", STANDIN_DO="echo ran"
        )
        assert (result.status, result.out) == (0, "ran\n"), stderr
    gone = f'mkdir gone; cd gone; rmdir ../gone; unset PWD; exec bash "{host.cargo_agent}" build'
    assert host.shell(gone, STANDIN_STATUS="101").status == 101  # of cargo


def test_runner_in_a_file_of_the_command_line_runs_behind_the_gate(host: Host) -> None:
    (host.checkout / "ci").mkdir()
    (host.checkout / "ci" / "own.toml").write_text("[target.'cfg(unix)']\nrunner = 'ci/x -v'\n")
    assert runner(host, "test -p x --config ci/own.toml") == ("runner", [f"{host.checkout}/ci/x", "-v"])


@pytest.mark.parametrize("words", ["--config target.x.runner='x' test -p y"])
def test_runner_of_the_command_line_is_not_changed(host: Host, words: str) -> None:
    assert runner(host, words) == ("", [])


def test_path_of_a_runner_is_relative_to_its_file(host: Host) -> None:
    text = "[target.'cfg(unix)']\nrunner = 'scripts/x'\n"
    assert runner(host, "test -p x", text) == ("runner", [f"{host.checkout}/scripts/x"])


def test_jobs_of_a_folder_configuration_apply(tmp_path: Path) -> None:
    host = render(tmp_path, jobs=32)
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text("[build]\njobs = 3\n")
    assert "CARGO_BUILD_JOBS" not in host.cargo("build").env
    (host.checkout / ".cargo" / "config.toml").rename(host.checkout / "ci.toml")
    assert "CARGO_BUILD_JOBS" not in host.cargo("build", "--config", "ci.toml").env
    assert host.cargo("build", NOVA_CARGO_JOBS="5").env["CARGO_BUILD_JOBS"] == "5"


@pytest.mark.parametrize(("policy", "cpus", "jobs"), [(32, "8", "8"), (4, "8", "4"), ("cargo", "8", "8")])
def test_number_of_cpus_can_be_set(tmp_path: Path, policy: object, cpus: str, jobs: str) -> None:
    env = render(tmp_path, jobs=policy).cargo("test", "-p", "x", NOVA_CARGO_NPROC=cpus).env
    assert (env["CARGO_BUILD_JOBS"], env["RUST_TEST_THREADS"]) == (jobs, "8")


def test_usage_and_debug_output(host: Host) -> None:
    for words in ([], ["--help"], ["-h"]):
        result = host.cargo(*words)
        assert (result.status, result.ran) == (0, False) and "NOVA_CARGO_LIMIT_AS" in result.out
    said = host.cargo("build", NOVA_CARGO_DEBUG="1").err
    assert str(host.toolchain(f"{CHANNEL}-{TRIPLE}")) in said and str(host.pool) in said


# ---- a copy in a repository ----


PARTS = [
    "cargo_rules.sh",
    "cargo_config.sh",
    "cargo_gate.sh",
    "memory-gate",
    "cargo-command",
]


def copied(host: Host, *names: str) -> Path:
    scripts = host.checkout / "scripts"
    scripts.mkdir()
    for name in names:
        shutil.copy(next(host.prefix.glob(f"*/{name}")), scripts)
    shutil.rmtree(host.prefix)
    return scripts / "cargo_agent.sh"


def test_copy_without_a_host_uses_cargo_on_path_and_has_no_pool(host: Host) -> None:
    copy = copied(host, "run_limited.sh", "cargo_agent.sh", *PARTS)
    laptop = program(host.root / "laptop" / "cargo", STAND_IN)
    path = f"{copy.parent}:{laptop.parent}:/usr/bin:/bin"
    (copy.parent / "cargo").symlink_to("cargo_agent.sh")  # a shim must not call itself
    compiles = 'echo "$0"; "$RUSTC_WRAPPER" echo --crate-name x --test'
    result = host.cargo("build", script=copy, PATH=path, STANDIN_DO=compiles)
    assert (result.status, result.out) == (0, f"{laptop}\n--crate-name x --test {FLAG}\n")
    (line,) = result.lines
    assert line.startswith("cargo_agent: this host has no memory pool")
    assert result.limit(AS) == (str(4 * GIB),) * 2
    assert host.cargo("metadata", script=copy, PATH=path).err == ""
    assert "scope rule" in host.cargo("test", script=copy, PATH=path).err
    assert "no cargo on PATH" in host.cargo("build", script=copy, PATH=f"{copy.parent}:/usr/bin:/bin").err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its user id")
def test_system_calls_are_those_of_this_machine(shared_host: Host) -> None:
    """Fedora's paths of perl do not name the machine. A wrong number was setreuid(2)."""
    run = "BEGIN { @INC = '/usr/lib64/perl5' } do shift"
    words = [shared_host.libexec / "cargo-command", "", 0, "", "0 0 ", "cargo build", "id", "-ru"]
    out, err = shared_host.start("perl", "-e", run, *words).communicate(timeout=GUARD)
    assert (out, err) == ("0\n", "")


def test_two_scripts_alone_apply_the_cap_and_name_the_missing_files(host: Host) -> None:
    copy = copied(host, "run_limited.sh", "cargo_agent.sh")
    path = f"{program(host.root / 'laptop' / 'cargo', STAND_IN).parent}:/usr/bin:/bin"
    result = host.cargo("build", script=copy, PATH=path)
    assert (result.status, result.limit(AS)) == (0, (str(4 * GIB),) * 2)
    (line,) = result.lines
    assert line.startswith("cargo_agent: without cargo_rules.sh") and line.endswith("only the cap applies")


def test_a_copy_that_may_not_be_run_keeps_the_cap_and_says_so(host: Host) -> None:
    copy = copied(host, "run_limited.sh", "cargo_agent.sh", *PARTS)
    for name in PARTS:
        (copy.parent / name).chmod(0o644)
    path = f"{program(host.root / 'laptop' / 'cargo', STAND_IN).parent}:/usr/bin:/bin"
    result = host.cargo("build", script=copy, PATH=path)
    assert (result.status, result.limit(AS), len(result.lines)) == (0, (str(4 * GIB),) * 2, 1)
    assert "chmod +x" in result.err


def test_copy_on_an_installed_host_finds_the_other_files(host: Host) -> None:
    scripts = host.checkout / "scripts"
    scripts.mkdir()
    for script in (host.run_limited, host.cargo_agent):
        (scripts / script.name).symlink_to(script)
    assert "scope rule" in host.cargo("test", script=scripts / "cargo_agent.sh").err
    assert host.cargo("build", script=scripts / "cargo_agent.sh").err == ""


def test_one_script_alone_names_the_missing_file(host: Host) -> None:
    copy = copied(host, "cargo_agent.sh")
    result = host.cargo("build", script=copy)
    assert (result.status, result.err) == (2, f"cargo_agent: run_limited.sh must be in the same folder as {copy}\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize(("options", "told"), [("noexec", True), ("exec", False)])
def test_temporary_folder_mounted_noexec_is_named(host: Host, options: str, told: bool) -> None:
    folder = host.root / "temporary"
    folder.mkdir()
    command = f"mount -t tmpfs -o {options} none {folder} && TMPDIR={folder} exec bash {host.cargo_agent} test -p x"
    result = host.shell(f"unshare --mount bash -c '{command}'", STANDIN_STATUS="101")
    assert (result.status, "TMPDIR" in result.err) == (101, told), result.err
