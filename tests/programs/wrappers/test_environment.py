# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""cargo_agent.sh: which cargo runs, and under which cap and environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .host import CHANNEL, GUARD, ROLE, STAND_IN, TRIPLE, Host, program, render

GIB = 1 << 30
AS = "Max address space"
IGNORING = "cargo_agent: ignoring RUSTUP_TOOLCHAIN in favor of rust-toolchain.toml\n"


def nproc(host: Host, count: object) -> str:
    """A PATH on which a STAND-IN for nproc counts ``count`` CPUs."""
    return (
        f"{program(host.root / 'nproc' / 'nproc', f'#!/bin/bash{chr(10)}echo {count}{chr(10)}').parent}:/usr/bin:/bin"
    )


# ---- cap ----


def test_caps_what_compiles_and_what_does_not(host: Host) -> None:
    for words in (["build"], ["metadata"], ["fuzz", "run", "x"], ["nextest", "run", "-p", "x"], ["--version"]):
        assert host.cargo(*words).limit(AS) == (str(4 * GIB),) * 2, words


@pytest.mark.parametrize(("text", "value"), [("8G", str(8 * GIB)), ("512M", str(GIB // 2)), ("unlimited", "unlimited")])
def test_takes_another_cap(host: Host, text: str, value: str) -> None:
    assert host.cargo("build", NOVA_CARGO_LIMIT_AS=text).limit(AS) == (value, value)


@pytest.mark.parametrize(
    ("session", "asked", "value", "line"),
    [
        ("64G:64G", None, "4G", ""),
        ("2G:64G", None, "4G", ""),
        ("64G:64G", "unlimited", "64G", "NOVA_CARGO_LIMIT_AS: address space is lifted to the session's hard limit, 64G"),
        ("2G:2G", None, "2G", "this session's hard limit on address space, 2G, is lower than the default (4G): 2G holds"),
        ("2G:2G", "1G", "1G", ""),
        ("2G:2G", "8G", None, "NOVA_CARGO_LIMIT_AS is 8G, above this session's hard limit on address space; ask for at most 2G"),
    ],
)  # fmt: skip
def test_a_session_s_own_limit_and_the_cap(
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
def test_refuses_a_cap_that_is_none(host: Host, text: str) -> None:
    result = host.cargo("build", NOVA_CARGO_LIMIT_AS=text)
    assert (result.status, result.ran, len(result.lines)) == (2, False, 1)
    assert result.err.startswith("cargo_agent: NOVA_CARGO_LIMIT_AS is ")


def test_says_what_a_failure_under_the_cap_can_mean(host: Host) -> None:
    failed = host.cargo("build", STANDIN_STATUS="101")
    assert (failed.status, len(failed.lines)) == (101, 1)
    for part in (
        "4G address space cap",
        "memory allocation",
        "only metadata stub",
        "spawn thread",
        "linker",
        "LIMIT_AS=8G",
    ):
        assert part in failed.err
    assert host.cargo("build").err == ""
    assert len(host.cargo("build", STANDIN_STATUS="101", NOVA_CARGO_LIMIT_AS="off").lines) == 1  # that there is no cap


def closing(host: Host, script: Path | None = None, session: str = "unlimited", **env: str) -> str:
    """What the closing line advises after a failure under the cap."""
    text = f'ulimit -v {session}; exec bash "{script or host.cargo_agent}" build'
    failed = host.shell(text, STANDIN_STATUS="101", **env)
    assert failed.status == 101
    return failed.lines[-1].partition("mean that the cap was hit: ")[2]


def test_the_closing_line_advises_what_can_help(host: Host) -> None:
    retry = f"try NOVA_CARGO_LIMIT_AS={{}} bash '{host.cargo_agent}' ..."
    most = "that is the most that there is: try fewer jobs, NOVA_CARGO_JOBS=1, or ask an operator"
    assert closing(host) == retry.format("8G")
    assert closing(host, NOVA_CARGO_LIMIT_AS="3G") == retry.format("6G")
    assert closing(host, NOVA_CARGO_LIMIT_AS="12G") == retry.format("16G")  # the policy's most
    assert closing(host, NOVA_CARGO_LIMIT_AS="16G") == most
    assert closing(host, session=str(6 << 20)) == retry.format("6G")
    assert closing(host, session=str(4 << 20)) == most
    assert closing(host, session=str(2 << 20)) == most
    assert closing(host, script=host.guard) == retry.format("8G")  # the guard itself takes no cap


@pytest.mark.parametrize("name", ["ulimit", "cd"])
def test_a_function_of_the_caller_s_changes_no_cap(host: Host, name: str) -> None:
    assert host.cargo("build", **{f"BASH_FUNC_{name}%%": "() { :; }"}).limit(AS) == (str(4 * GIB),) * 2


def test_leaves_cargo_s_output_alone(host: Host) -> None:
    result = host.cargo("build", STANDIN_DO="printf 'a\\x1b[1m\\0b'; printf 'err\\x1b[0m' >&2")
    assert (result.out, result.err) == ("a\x1b[1m\0b", "err\x1b[0m")


def test_cargo_has_the_terminal_itself(host: Host) -> None:
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


@pytest.mark.parametrize("value", [None, "", "C.UTF-8", "no_SUCH"])
@pytest.mark.parametrize("words", [["build"], ["metadata"], ["+nightly", "build"]])
def test_leaves_the_locale_alone(host: Host, value: str | None, words: list[str]) -> None:
    for script in (host.cargo_agent, host.guard):
        result = host.cargo(*words, script=script, LC_ALL=value)
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
def test_sets_jobs_for_cargo_and_for_what_it_calls(
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
def test_caps_test_threads(host: Host, cpus: int, env: dict[str, str], threads: str) -> None:
    result = host.cargo("test", "-p", "x", PATH=nproc(host, cpus), **env)
    assert (result.env["RUST_TEST_THREADS"], result.env["NEXTEST_TEST_THREADS"]) == (threads, threads)


def test_fewer_test_threads_can_be_asked_for_by_either_name(host: Host) -> None:
    env = host.cargo("nextest", "run", "-p", "x", PATH=nproc(host, 192), NEXTEST_TEST_THREADS="3").env
    assert (env["RUST_TEST_THREADS"], env["NEXTEST_TEST_THREADS"]) == ("8", "3")
    both = {"RUST_TEST_THREADS": "1", "NEXTEST_TEST_THREADS": "99"}
    env = host.cargo("nextest", "run", "-p", "x", PATH=nproc(host, 192), **both).env
    assert (env["RUST_TEST_THREADS"], env["NEXTEST_TEST_THREADS"]) == ("1", "8")


@pytest.mark.parametrize(
    ("words", "capped"),
    [
        *((line, True) for line in ("test -p x", "bench -p x", "nextest run -p x", "miri test -p x", "t -p x")),
        *((line, True) for line in ("hack test", "llvm-cov", "careful test")),  # what is unknown may test
        *((line, False) for line in ("build", "clippy", "run", "metadata", "fuzz run x", "--version")),
    ],
)
def test_caps_the_threads_of_whatever_may_run_tests(host: Host, words: str, capped: bool) -> None:
    env = host.cargo(*words.split(), PATH=nproc(host, 192)).env
    assert (env.get("RUST_TEST_THREADS"), env.get("NEXTEST_TEST_THREADS")) == (("8", "8") if capped else (None, None))


def test_many_cores_get_few_arenas_and_a_bounded_stack(host: Host) -> None:
    text = f"ulimit -Ss 65536; exec bash {host.cargo_agent} build"
    result = host.shell(text, STANDIN_DO="echo $MALLOC_ARENA_MAX $(ulimit -Ss) $(ulimit -Hs)")
    assert result.out == "2 8192 unlimited\n"
    # A thread's stack has 2 MiB where there is no limit.
    assert host.shell(text.replace("65536", "unlimited"), STANDIN_DO="ulimit -Ss").out == "unlimited\n"
    assert host.cargo("build", MALLOC_ARENA_MAX="4").env["MALLOC_ARENA_MAX"] == "4"
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
def test_a_process_with_192_threads_fits_only_with_the_wrapper_s_settings(host: Host, setting: str) -> None:
    bare = host.shell(f"ulimit -v 4194304; {setting}; {SIMULATION}", THREADS=THREADS)
    assert bare.out == "", "the simulation has lost its point: it fits without the wrapper's settings"
    wrapped = host.shell(
        f'ulimit -Ss 65536; exec bash "{host.cargo_agent}" build', THREADS=THREADS, STANDIN_DO=SIMULATION
    )
    assert wrapped.out == "all ran\n", wrapped.err


def test_a_tunable_of_glibc_s_overrides_the_arenas_as_the_documentation_says(host: Host) -> None:
    text = f'exec bash "{host.cargo_agent}" build'
    tunable = "glibc.malloc.arena_max=1536"
    assert host.shell(text, THREADS=THREADS, STANDIN_DO=SIMULATION).out == "all ran\n"
    assert host.shell(text, THREADS=THREADS, STANDIN_DO=SIMULATION, GLIBC_TUNABLES=tunable).out == ""
    assert f"GLIBC_TUNABLES={tunable}" in (ROLE.parents[1] / "docs" / "wrappers.md").read_text()


FLAG = "-Clink-arg=-Wl,--no-keep-memory"


@pytest.mark.parametrize(
    ("words", "env", "name", "value"),
    [
        ("build", {}, "CARGO_BUILD_RUSTFLAGS", FLAG),
        ("build", {"CARGO_BUILD_RUSTFLAGS": "-g"}, "CARGO_BUILD_RUSTFLAGS", f"-g {FLAG}"),
        ("build", {"RUSTFLAGS": "-g"}, "RUSTFLAGS", f"-g {FLAG}"),
        ("build", {"CARGO_ENCODED_RUSTFLAGS": "-g"}, "CARGO_ENCODED_RUSTFLAGS", f"-g\x1f{FLAG}"),
        ("build --target aarch64-unknown-linux-gnu", {}, "CARGO_BUILD_RUSTFLAGS", FLAG),
        ("build --target wasm32-unknown-unknown", {}, "CARGO_BUILD_RUSTFLAGS", None),
        ("build", {"CARGO_BUILD_TARGET": "wasm32-unknown-unknown"}, "CARGO_BUILD_RUSTFLAGS", None),
        ("build", {"NOVA_CARGO_LIMIT_AS": "unlimited"}, "CARGO_BUILD_RUSTFLAGS", None),
        ("build --target wasm32-unknown-unknown --target x86_64-unknown-linux-gnu", {}, "CARGO_BUILD_RUSTFLAGS", None),
        ("build --target x86_64-unknown-linux-gnu --target=wasm32-wasip1", {}, "CARGO_BUILD_RUSTFLAGS", None),
        ("build --target host-tuple", {}, "CARGO_BUILD_RUSTFLAGS", FLAG),
        ("--config build.target='wasm32-wasip1' build", {}, "CARGO_BUILD_RUSTFLAGS", None),
        # What is set hides the rest from cargo, even where it is empty.
        ("build", {"RUSTFLAGS": "", "CARGO_BUILD_RUSTFLAGS": "-g"}, "RUSTFLAGS", FLAG),
        ("build", {"CARGO_ENCODED_RUSTFLAGS": "", "RUSTFLAGS": "-g"}, "CARGO_ENCODED_RUSTFLAGS", FLAG),
        ("build", {"CARGO_ENCODED_RUSTFLAGS": "", "RUSTFLAGS": "-g"}, "RUSTFLAGS", "-g"),
        # As a nested call finds it: with other flags cargo would build everything again.
        ("build", {"CARGO_BUILD_RUSTFLAGS": f"-g {FLAG}"}, "CARGO_BUILD_RUSTFLAGS", f"-g {FLAG}"),
        ("build", {"RUSTFLAGS": FLAG}, "RUSTFLAGS", FLAG),
        ("build", {"CARGO_ENCODED_RUSTFLAGS": f"-g\x1f{FLAG}"}, "CARGO_ENCODED_RUSTFLAGS", f"-g\x1f{FLAG}"),
    ],
)
def test_the_linker_keeps_less_in_memory(
    host: Host, words: str, env: dict[str, str], name: str, value: str | None
) -> None:
    assert host.cargo(*words.split(), **env).env.get(name) == value


@pytest.mark.parametrize(
    ("text", "words", "value"),
    [
        ('[build]\ntarget = "wasm32-unknown-unknown"\n', "build", None),
        ('build.target = "wasm32-unknown-unknown"\n', "build", None),
        ('[build]\ntarget = ["x86_64-unknown-linux-gnu", "wasm32-wasip1"]\n', "build", None),
        ('[build]\ntarget = [\n  "wasm32-wasip1",\n]\n', "build", None),
        ('build = { target = "wasm32-wasip1" }\n', "build", None),
        ('[build]\ntarget = "wasm32-wasip1"\n', "build --target x86_64-unknown-linux-gnu", FLAG),
        ('[build]\ntarget = "x86_64-unknown-linux-musl"\n', "build", FLAG),
        ('[build]\ntarget-dir = "wasm"\n[other]\ntarget = "wasm"\n', "build", FLAG),
    ],
)
@pytest.mark.parametrize("place", ["checkout/.cargo", "home/.cargo"])
def test_a_target_of_the_configuration_counts(host: Host, text: str, words: str, value: str | None, place: str) -> None:
    (host.root / place).mkdir()
    (host.root / place / "config.toml").write_text(text)
    assert host.cargo(*words.split()).env.get("CARGO_BUILD_RUSTFLAGS") == value


@pytest.mark.parametrize("name", ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"])
def test_clears_rustc_wrappers_unless_they_are_kept(host: Host, name: str) -> None:
    assert host.cargo("build", **{name: "sccache"}).env[name] == ""
    kept = host.cargo("build", **{name: "sccache"}, NOVA_CARGO_KEEP_RUSTC_WRAPPER="1")
    assert kept.env[name] == "sccache"


# ---- toolchain ----


def ran(host: Host, *words: str, cwd: Path | None = None, **env: str | None) -> tuple[str, str | None, str]:
    """The cargo that ran, the RUSTUP_TOOLCHAIN that it saw, and what the wrapper said."""
    result = host.cargo(*words, cwd=cwd, STANDIN_DO='echo "$0"', **env)
    return result.out.strip(), result.env.get("RUSTUP_TOOLCHAIN"), result.err


def test_the_toolchain_s_own_cargo_runs_first_on_path(host: Host) -> None:
    own = host.toolchain(f"{CHANNEL}-{TRIPLE}")
    assert ran(host, "build") == (str(own), f"{CHANNEL}-{TRIPLE}", "")
    result = host.cargo("build")
    assert result.env["PATH"].startswith(f"{own.parent}:")
    assert result.env["RUSTUP_HOME"] == str(host.home)


def test_the_pin_goes_before_rustup_toolchain_and_says_so_once(host: Host) -> None:
    own = str(host.toolchain(f"{CHANNEL}-{TRIPLE}"))
    assert ran(host, "build", RUSTUP_TOOLCHAIN="nightly") == (own, f"{CHANNEL}-{TRIPLE}", IGNORING)


def test_a_nested_call_stays_in_the_generation_that_the_build_began_with(host: Host) -> None:
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
def test_a_toolchain_that_was_asked_for_is_left_to_rustup(host: Host, words: list[str], env: dict[str, str]) -> None:
    proxy = str(host.prefix / "toolchain" / "bin" / "cargo")
    assert ran(host, *words, RUSTUP_TOOLCHAIN="beta", **env) == (proxy, "beta", "")
    assert host.cargo(*words).args == words


def test_rules_hold_for_another_toolchain_too(host: Host) -> None:
    assert "scope rule" in host.cargo("+nightly", "test").err


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.93.0"\n'),
        ("rust-toolchain.toml", "toolchain.channel = '1.93.0'"),
        ("rust-toolchain", "1.93.0\n"),
        ("rust-toolchain", '[toolchain]\nchannel="1.93.0"'),
        ("rust-toolchain.toml", f'[toolchain]\nchannel = "1.93.0-{TRIPLE}"\n'),
        ("rust-toolchain.toml", '[ toolchain ]\n"channel" = "1.93.0" # ours\n'),
        ("rust-toolchain.toml", '\ufeff[toolchain]\r\nchannel = "1.93.0"\r\n'),
        ("rust-toolchain.toml", '"toolchain" . "channel" = "1.93.0"\n'),
        ("rust-toolchain", "1.93.0\r\n"),
    ],
)
def test_a_repository_s_other_pin_is_used_if_installed(host: Host, file: str, text: str) -> None:
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
        ("rust-toolchain.toml", 'toolchain = { channel = "1.77.0" }\n'),
        ("rust-toolchain.toml", '[toolchain]\nchannel = """1.77.0"""\n'),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.7\\u0037.0"\n'),
        ("rust-toolchain.toml", '[toolchain]\nchannel = ""\n'),
        ("rust-toolchain.toml", 'channel = "1.77.0"\n'),
        ("rust-toolchain.toml", "1.77.0\n"),  # rustup reads this from a file without ending alone
        ("rust-toolchain", "1.77.0\nx\n"),
    ],
)
def test_a_pin_that_is_not_understood_is_refused_and_not_ignored(host: Host, file: str, text: str) -> None:
    (host.checkout / file).write_text(text)
    result = host.cargo("build")
    assert (result.status, result.ran) == (2, False)
    assert result.err == (
        f"cargo_agent: '{host.checkout / file}' names no channel that can be read here; "
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
def test_a_pin_of_the_same_version_or_none_is_the_host_s(host: Host, text: str) -> None:
    (host.checkout / "rust-toolchain.toml").write_text(text)
    assert ran(host, "build")[0] == str(host.toolchain(f"{CHANNEL}-{TRIPLE}"))


@pytest.mark.parametrize("channel", ["../../../../checkout/evil", "/tmp/evil", "$(touch injected)", "*", "1.9"])
def test_a_pin_leads_nowhere_else(host: Host, channel: str) -> None:
    program(host.checkout / "evil" / "bin" / "cargo", STAND_IN)
    (host.checkout / "rust-toolchain.toml").write_text(f'[toolchain]\nchannel = "{channel}"\n')
    assert (host.cargo("build").status, (host.checkout / "injected").exists()) == (2, False)


# ---- what `run` calls its program by ----

RELEASE = 'target."cfg(all())".runner = ["bash", "-c", "flock -u '


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("run", 0),
        ("r", 0),
        ("--locked run --bin x", 0),
        ("--config net.offline=true run", 0),
        # Cargo forgets a --config before `run` where another one follows it.
        ("run --config net.offline=true", 1),
        ("--locked r --bin x --config=net.offline=true -- --config", 2),
        ("--config a.b=1 run --config c.d=2", 3),
        ("go --config net.offline=true", 0),
        ("go run --config net.offline=true", 0),  # the program's own words
    ],
)
def test_run_starts_its_program_by_what_gives_the_slot_back(host: Host, words: str, place: int) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text(
        '[alias]\ngo = "-q run"\n# runner = "x"\n[profile.dev]\ndebug = 1 # no runner here\n'
    )
    result = host.cargo(*words.split())
    given = words.split()
    assert result.args[:place] == given[:place] and result.args[place + 2 :] == given[place:], result.args
    assert result.args[place] == "--config" and result.args[place + 1].startswith(RELEASE)


@pytest.mark.parametrize(
    ("text", "words", "env"),
    [
        ("[target.x86_64-unknown-linux-gnu]\nrunner = 'x'\n", "run", {}),
        ("target.'cfg(unix)'.runner='x'\n", "run", {}),
        ("target.x = { \"runner\" = 'x' }\n", "run", {}),
        ("", "run --config target.x.runner='x'", {}),
        ("", "--config target.x.runner='x' run", {}),
        ("", "run", {"CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER": "x"}),
    ],
)
def test_another_runner_goes_before_it(host: Host, text: str, words: str, env: dict[str, str]) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text(text)
    assert host.cargo(*words.split(), **env).args == words.split()


# ---- a copy in a repository ----


PARTS = ["cargo_rules.sh", "cargo_config.sh", "cargo_slots.sh", "cargo_queue.sh"]


def copied(host: Host, *names: str) -> Path:
    scripts = host.checkout / "scripts"
    scripts.mkdir()
    for name in names:
        shutil.copy(next(host.prefix.glob(f"*/{name}")), scripts)
    shutil.rmtree(host.prefix)
    shutil.rmtree(host.slot_folder)
    return scripts / "cargo_agent.sh"


def test_a_copy_on_a_laptop_uses_cargo_on_path_and_slots_of_the_user(host: Host) -> None:
    copy = copied(host, "run_limited.sh", "cargo_agent.sh", *PARTS)
    laptop = program(host.root / "laptop" / "cargo", STAND_IN)
    path = f"{copy.parent}:{laptop.parent}:/usr/bin:/bin"
    (copy.parent / "cargo").symlink_to("cargo_agent.sh")  # a shim of one's own must not call itself
    result = host.cargo("build", script=copy, PATH=path, STANDIN_DO='echo "$0"')
    cache = host.root / "home" / ".cache" / "nova-agent" / "slots"
    assert (result.status, result.out) == (0, f"{laptop}\n")
    assert result.lines == [
        f"cargo_agent: this host has no slots in {host.slot_folder} that you can use; yours alone are in '{cache}'"
    ]
    assert sorted(file.name for file in cache.iterdir()) == ["holder.1", "holder.2", "slot.1", "slot.2", "turn"]
    assert cache.stat().st_mode & 0o777 == 0o700
    assert "scope rule" in host.cargo("test", script=copy, PATH=path).err
    assert "no cargo on PATH" in host.cargo("build", script=copy, PATH=f"{copy.parent}:/usr/bin:/bin").err


def test_two_scripts_alone_keep_the_cap_and_say_what_is_missing(host: Host) -> None:
    copy = copied(host, "run_limited.sh", "cargo_agent.sh")
    path = f"{program(host.root / 'laptop' / 'cargo', STAND_IN).parent}:/usr/bin:/bin"
    result = host.cargo("build", script=copy, PATH=path)
    assert (result.status, result.limit(AS)) == (0, (str(4 * GIB),) * 2)
    assert result.err == (
        "cargo_agent: without cargo_rules.sh, cargo_config.sh, cargo_slots.sh and cargo_queue.sh beside this script, "
        "only the cap holds\n"
    )


def test_a_copy_on_an_installed_host_finds_the_rest_there(host: Host) -> None:
    scripts = host.checkout / "scripts"
    scripts.mkdir()
    for script in (host.run_limited, host.cargo_agent):
        (scripts / script.name).symlink_to(script)
    assert "scope rule" in host.cargo("test", script=scripts / "cargo_agent.sh").err
    assert host.cargo("build", script=scripts / "cargo_agent.sh").err == ""


def test_one_script_alone_says_what_it_needs(host: Host) -> None:
    copy = copied(host, "cargo_agent.sh")
    result = host.cargo("build", script=copy)
    assert (result.status, result.err) == (2, f"cargo_agent: run_limited.sh must lie beside {copy}\n")
