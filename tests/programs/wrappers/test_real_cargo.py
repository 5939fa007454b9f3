# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The wrappers with a real cargo, if the machine has one, with the name of the pinned toolchain."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from .host import ALL_SLOTS, CHANNEL, FREE, GUARD, SLOTS, TOTAL, TRIPLE, Host, Result, eventually, program, render


def sysroot() -> Path | None:
    rustc = shutil.which("rustc", path=f"{os.environ.get('PATH', '')}:{Path.home()}/.cargo/bin")
    if not rustc or not shutil.which("cc"):
        return None
    done = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True, cwd="/")
    return Path(done.stdout.strip()) if done.returncode == 0 else None


REAL = sysroot()
pytestmark = pytest.mark.skipif(REAL is None, reason="this machine has no rustc with a C linker")

MANIFEST = '[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'


@pytest.fixture
def real(tmp_path: Path) -> Host:
    """A host with one slot. The pinned toolchain is the real one of this machine."""
    host = render(tmp_path, slots=1)
    place = host.home / "toolchains" / f"{CHANNEL}-{TRIPLE}"
    shutil.rmtree(place)
    assert REAL
    place.symlink_to(REAL)
    return host


def crate(host: Host, name: str = "demo", main: str = "fn main() {}", folder: Path | None = None) -> Path:
    place = folder or host.checkout / name
    (place / "src").mkdir(parents=True)
    (place / "Cargo.toml").write_text(MANIFEST.format(name=name))
    (place / "src" / "main.rs").write_text(main + "\n#[test]\nfn passes() {}\n")
    return place


@pytest.mark.parametrize(
    "words", ["build", "check --quiet", "test -p demo", "run", "clippy", "fmt --check", "metadata --no-deps", "doc"]
)
def test_cargo_works_under_the_cap(real: Host, words: str) -> None:
    place = crate(real)
    (place / "src" / "main.rs").write_text("fn main() {}\n")
    tool = words.split()[0]
    if tool in ("clippy", "fmt") and not (real.toolchain(f"{CHANNEL}-{TRIPLE}").parent / f"cargo-{tool}").exists():
        pytest.skip(f"this machine's Rust has no {tool}")
    result = real.cargo(*words.split(), cwd=place)
    assert result.status == 0, result.err
    assert "cargo_agent" not in result.err.replace("cargo_agent target/", "")


def test_program_of_cargo_run_holds_no_permit(real: Host) -> None:
    waits = """fn main() {
        println!("started {:?}", std::env::var("NOVA_CARGO_GATE").is_ok());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        std::process::exit(7)
    }"""
    place = crate(real, main=waits)
    running = subprocess.Popen(
        ["bash", real.cargo_agent, "run", "-q"], cwd=place, env=real.environment(),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout
    assert running.stdout.readline() == "started false\n"
    eventually(lambda: real.value(SLOTS) == real.value(ALL_SLOTS) and real.value(FREE) == real.value(TOTAL))
    running.communicate("go on\n", timeout=GUARD)
    assert running.returncode == 7


def test_env_table_of_cargo_disables_the_gate(real: Host) -> None:
    place = crate(real)
    program(place / ".cargo" / "config.toml", 'env.NOVA_CARGO_GATE = {value = "", force = true}\n')
    take = f"semop {real.set}, pack 's!*', {FREE}, -{real.value(FREE)}, 010000; syswrite STDOUT, qq(x\\n); sleep 1000"
    with real.start("perl", "-e", take) as holder:
        assert holder.stdout and holder.stdout.readline() == "x\n"
        result = real.cargo("build", cwd=place)
        holder.kill()
    assert result.status == 0, result.err


def test_command_that_waits_for_the_lock_of_cargo_holds_no_slot(real: Host) -> None:
    place = crate(real)
    assert real.cargo("build", cwd=place).status == 0
    with open(place / "target" / "debug" / ".cargo-lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (place / "src" / "main.rs").touch()
        waits = real.start("bash", real.cargo_agent, "build", cwd=place)
        assert waits.stderr
        assert "Blocking waiting for file lock" in waits.stderr.readline()
        assert real.cargo("build", cwd=crate(real, "other")).status == 0  # with the host's only slot
    waits.communicate(timeout=GUARD)
    assert waits.returncode == 0


def compiled(result: Result) -> bool:
    assert result.status == 0, result.err
    return "Compiling" in result.err or "Documenting" in result.err or "Checking" in result.err


def test_alternating_wrapped_and_unwrapped_builds_rebuild_nothing(real: Host) -> None:
    place = crate(real)
    (place / "src" / "lib.rs").write_text("/// ```\n/// assert!(true)\n/// ```\npub fn f() {}\n")
    cargo = real.toolchain(f"{CHANNEL}-{TRIPLE}")
    path = f"{cargo.parent}:/usr/bin:/bin"
    for words in ("build", "test -p demo", "doc", "clippy", "build --release"):
        assert compiled(real.cargo(*words.split(), cwd=place))
        for env in ({}, {"NOVA_CARGO_LIMIT_AS": "unlimited"}, {"NOVA_CARGO_NO_LINK_NO_KEEP_MEMORY": "1"}):
            assert not compiled(real.cargo(*words.split(), cwd=place, **env)), (words, env)
        bare = real.start(cargo, *words.split(), cwd=place, PATH=path)
        assert "Compiling" not in bare.communicate(timeout=GUARD)[1], words
        assert not compiled(real.cargo(*words.split(), cwd=place)), words


def test_nested_build_for_another_target_gets_no_linker_flag(real: Host) -> None:
    inner = crate(real, "inner")
    (inner / "src" / "main.rs").unlink()
    (inner / "src" / "lib.rs").write_text(
        '#![feature(no_core, lang_items)]\n#![no_core]\n#[lang = "sized"] pub trait Sized {}\n'
        '#[lang = "pointee_sized"] pub trait PointeeSized {}\n#[lang = "meta_sized"] pub trait MetaSized: PointeeSized {}\n'
        '#[no_mangle] pub extern "C" fn f() {}\n'
    )
    with (inner / "Cargo.toml").open("a") as manifest:
        manifest.write('[lib]\ncrate-type = ["cdylib"]\n[workspace]\n')
    place = crate(real)
    (place / "build.rs").write_text("""fn main() {
        let done = std::process::Command::new(std::env::var("CARGO").unwrap())
            .args(["build", "--target", "wasm32-unknown-unknown", "--manifest-path", "../inner/Cargo.toml"])
            .env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }""")
    plain = real.start(
        real.toolchain(f"{CHANNEL}-{TRIPLE}"),
        "build",
        "--target",
        "wasm32-unknown-unknown",
        cwd=inner,
        RUSTC_BOOTSTRAP="1",
    )
    if plain.communicate(timeout=GUARD) and plain.returncode:
        pytest.skip("this machine's Rust can't link for wasm")
    shutil.rmtree(inner / "target")
    result = real.cargo("build", cwd=place)
    assert result.status == 0, result.err


def test_linker_gets_the_flag(real: Host) -> None:
    linker = program(real.root / "bin" / "gcc", f'#!/bin/sh\necho "$*" >>"{real.root}/links"\nexec cc "$@"\n')
    (real.checkout / ".cargo").mkdir()
    (real.checkout / ".cargo" / "config.toml").write_text(f'[target.{TRIPLE}]\nlinker = "{linker}"\n')
    assert real.cargo("build", cwd=crate(real)).status == 0
    assert "-Wl,--no-keep-memory" in (real.root / "links").read_text()


def test_missing_target_is_not_blamed_on_the_cap(real: Host) -> None:
    result = real.cargo("build", "--target", "riscv32i-unknown-none-elf", cwd=crate(real))
    assert result.status != 0
    (line,) = [line for line in result.lines if line.startswith("cargo_agent: ")]
    assert "riscv32i-unknown-none-elf" in line and "agent_toolchain_targets" in line and "LIMIT_AS" not in line


@pytest.mark.parametrize(
    "main",
    ['fn main() { let _: u32 = "out of memory"; }', 'compile_error!("memory exhausted");', "#![no_std] fn main() {}"],
)
def test_compile_error_is_not_blamed_on_the_cap(real: Host, main: str) -> None:
    result = real.cargo("build", cwd=crate(real, main=main))
    assert result.status == 101 and "cargo_agent" not in result.err.replace("cargo_agent.sh", "")


def failing(real: Host, body: str, **env: str) -> Result:
    """Run a failing test with this body in the wrapper, with both outputs in one pipe as agents do."""
    place = crate(real, main=f"#![allow(unconditional_recursion)] fn main() {{}}\n{body}")
    command = f"exec bash '{real.cargo_agent}' test -p demo 2>&1"
    process = real.start("bash", "-c", command, cwd=place, **env)
    out, err = process.communicate(timeout=GUARD)
    assert (process.returncode, err) == (101, "")
    return Result(process.returncode, "", out, True)


def test_test_that_died_at_its_cap_is_named_with_its_crate(real: Host) -> None:
    result = failing(real, "#[test] fn big() { let v: Vec<u8> = vec![1; 5 << 30]; assert_eq!(v.len(), 1); }")
    assert result.lines[-1].startswith("cargo_agent: test demo got no memory")
    for part in ("cap of 4G", "NOVA_CARGO_LIMIT_AS=8G"):
        assert part in result.lines[-1]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('#[test] fn wrong() { assert_eq!("memory allocation of 5 bytes failed", "x"); }', "panicked"),
        ("#[test] fn aborts() { std::process::abort(); }", "signal: 6"),
        ("#[test] fn deep() { fn f(n: &u64) -> u64 { let m = *n + 1; f(&m) + m } f(&1); }", "overflowed its stack"),
    ],
)
def test_test_with_another_failure_has_no_last_line(real: Host, body: str, says: str) -> None:
    result = failing(real, body)
    assert says in result.err and "cargo_agent: " not in result.err


def test_core_file_of_a_test_is_kept(real: Host) -> None:
    """The gate ends by the same signal, and must not replace it."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern != "core\n" or Path("/proc/sys/kernel/core_uses_pid").read_text() != "0\n":
        pytest.skip("this kernel does not write core files to the working directory")
    place = crate(real, main="fn main() {}\n#[test]\nfn aborts() { std::process::abort() }")
    result = real.shell(f"ulimit -c unlimited; bash {real.cargo_agent} test -p demo", cwd=place)
    assert result.status == 101 and "SIGABRT" in result.err
    core = (place / "core").read_bytes()
    assert b"/deps/demo-" in core and b"/bin/perl" not in core


@pytest.mark.parametrize(
    ("how", "line"),
    [
        (
            "echo 'ld: final link failed: memory exhausted' >&2; exit 1",
            'cargo_agent: link demo said "memory exhausted"',
        ),
        ("kill -KILL $$", ""),
        ("kill -SEGV $$", ""),
    ],
)
def test_failed_linker_is_named_only_if_it_got_no_memory(real: Host, how: str, line: str) -> None:
    linker = program(real.root / "bin" / "gcc", f"#!/bin/sh\n{how}\n")
    (real.checkout / ".cargo").mkdir()
    (real.checkout / ".cargo" / "config.toml").write_text(f'[target.{TRIPLE}]\nlinker = "{linker}"\n')
    result = real.cargo("build", cwd=crate(real))
    assert result.status == 101
    assert [said[: len(line)] for said in result.lines if said.startswith("cargo_agent: ")] == ([line] if line else [])


def test_messages_of_the_gate_are_not_repeated_by_a_fresh_build(real: Host) -> None:
    place = crate(real, main="fn main() { let unused = 1; }")
    first, second = (real.cargo("build", cwd=place).err for _ in range(2))
    assert first.count("unused variable") == second.count("unused variable") == 1
    assert "memory-gate" not in second


def test_runner_of_the_repository_is_kept(real: Host) -> None:
    place = crate(real, main='fn main() { println!("ran") }')
    runner = program(real.root / "runner.sh", '#!/bin/sh\necho "own runner"\nexec "$@"\n')
    (place / ".cargo").mkdir()
    (place / ".cargo" / "config.toml").write_text(f"[target.'cfg(unix)']\nrunner = \"{runner}\"\n")
    assert real.cargo("run", "-q", cwd=place).out == "own runner\nran\n"


# A program for tasks of a repository: `cargo run` starts it, and it calls cargo.
TASKS = """fn main() {
    for name in ["PATH", "RUSTUP_TOOLCHAIN"] { println!("{name}={}", std::env::var(name).unwrap_or_default()) }
    for (name, _) in std::env::vars() { if name.starts_with("NOVA_CARGO_") { println!("{name}") } }
    let done = std::process::Command::new("cargo").args(["build", "--all-targets"]).status();
    println!("{}", done.unwrap().code().unwrap());
}"""


def test_program_of_cargo_run_finds_the_cargo_of_the_caller(real: Host) -> None:
    guard = program(real.root / "bin" / "cargo", f'#!/bin/sh\nexec "{real.guard}" "$@"\n')
    path = f"{guard.parent}:/usr/local/bin:/usr/bin:/bin"
    place = crate(real, main=TASKS)
    result = real.cargo("run", "-q", cwd=place, PATH=path)
    assert result.out == f"PATH={path}\nRUSTUP_TOOLCHAIN=\n2\n"
    assert "refused by the all-targets rule" in result.err
    round_it = 'fn main() { println!("{}", std::env::var("CARGO").unwrap()) }'  # as the documentation says
    assert Path(real.cargo("run", "-q", cwd=crate(real, "round", round_it)).out.strip()).samefile(
        real.toolchain(f"{CHANNEL}-{TRIPLE}")
    )
    own = f"{CHANNEL}-{TRIPLE}"
    kept = real.cargo("run", "-q", cwd=place, PATH=path, RUSTUP_TOOLCHAIN=own, NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN="1")
    assert kept.out == f"PATH={path}\nRUSTUP_TOOLCHAIN={own}\nNOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN\n2\n"


def test_rules_apply_to_cargo_calls_of_other_subcommands(real: Host) -> None:
    """A STAND-IN for programs such as cargo-make, whose names do not show what they run."""
    place = crate(real)
    tools = program(real.root / "tools" / "cargo-tasks", '#!/bin/sh\nshift\nexec cargo "$@"\n').parent
    path = f"{tools}:/usr/local/bin:/usr/bin:/bin"
    refused = real.cargo("tasks", "tests", "-q", "--workspace", cwd=place, PATH=path, CARGO_ALIAS_TESTS="test")
    assert refused.status == 2 and "refused by the scope rule: test " in refused.err
    passed = real.cargo("tasks", "tests", "-q", "-p", "demo", cwd=place, PATH=path, CARGO_ALIAS_TESTS="test")
    assert (passed.status, "1 passed" in passed.out) == (0, True), passed.err


def test_flags_of_the_repository_are_kept(real: Host) -> None:
    place = crate(real)
    (place / ".cargo").mkdir()
    (place / ".cargo" / "config.toml").write_text('[build]\nrustflags = ["--cfg", "mine"]\n')
    assert "--cfg mine" in real.cargo("build", "-v", cwd=place).err


def test_build_script_runs_cargo_without_a_second_slot(real: Host) -> None:
    place = crate(real)
    (place / "build.rs").write_text(
        f"""fn main() {{
            for program in [&std::env::var("CARGO").unwrap()[..], "cargo", {str(real.cargo_agent)!r}, {str(real.guard)!r}] {{
                let done = std::process::Command::new(program).arg("check").arg("--manifest-path")
                    .arg("../other/Cargo.toml").arg("--target-dir").arg(std::env::var("OUT_DIR").unwrap()).status();
                assert!(done.unwrap().success());
            }}
        }}""".replace("'", '"')
    )
    crate(real, "other")
    result = real.cargo("build", cwd=place)
    assert result.status == 0, result.err


@pytest.mark.parametrize("cap", ["300M", "340M", "400M"])
def test_last_line_is_printed_if_rustc_died_at_its_cap(real: Host, cap: str) -> None:
    result = real.cargo("build", cwd=crate(real), NOVA_CARGO_LIMIT_AS=cap)
    assert result.status != 0
    assert result.lines[-1].startswith("cargo_agent: rustc"), result.err
    assert f"under the address space cap of {cap} (NOVA_CARGO_LIMIT_AS)" in result.lines[-1]


def test_user_aliases_override_built_in_ones_in_cargo(real: Host) -> None:
    place = crate(real)
    (place / ".cargo").mkdir()
    (place / ".cargo" / "config.toml").write_text('[alias]\nb = "metadata --no-deps --format-version 1"\n')
    assert real.cargo("b", cwd=place).out.startswith('{"packages"')


def test_alias_arrays_of_two_files_are_joined_in_cargo(real: Host) -> None:
    place = crate(real)
    for folder, words in ((real.checkout, '["metadata", "--no-deps"]'), (place, '["--format-version", "1"]')):
        (folder / ".cargo").mkdir()
        (folder / ".cargo" / "config.toml").write_text(f"[alias]\nx = {words}\n")
    result = real.cargo("x", cwd=place)
    assert result.out.startswith('{"packages"'), result.err
    assert real.cargo("x", cwd=place, CARGO_ALIAS_X="--no-such-option").status == 1


def test_cargo_builds_under_the_cap_on_192_cpus(real: Host) -> None:
    # SIMULATES 192 CPUs: 192 jobs, each a thread of cargo, and eight arenas for each CPU.
    for number in range(80):
        (real.checkout / "crates" / str(number) / "src").mkdir(parents=True)
        (real.checkout / "crates" / str(number) / "src" / "lib.rs").touch()
        manifest = real.checkout / "crates" / str(number) / "Cargo.toml"
        manifest.write_text(MANIFEST.format(name=f"crate-{number}"))
    (real.checkout / "Cargo.toml").write_text('[workspace]\nmembers = ["crates/*"]\nresolver = "2"\n')
    bare = f'ulimit -v 4194304; MALLOC_ARENA_MAX=1536 "{real.toolchain(f"{CHANNEL}-{TRIPLE}")}" check -q -j192'
    failed = real.shell(bare)
    assert failed.status != 0, "the simulation has lost its point: it fits without the wrapper's settings"
    result = real.shell(f'ulimit -Ss 65536; exec bash "{real.cargo_agent}" check -q', NOVA_CARGO_JOBS="192")
    assert result.status == 0, result.err


def subcommand(host: Host, name: str, prelude: str = "") -> str:
    """A PATH with this cargo subcommand, from the machine or from the environment of the tests."""
    found = shutil.which(f"cargo-{name}", path=f"{sysconfig.get_path('scripts')}:{os.environ.get('PATH', '')}")
    if not found:
        pytest.skip(f"neither this machine nor the tests' environment has cargo-{name}")
    script = f'#!/bin/bash\n{prelude}exec "{found}" "$@"\n'
    return f"{program(host.root / 'tools' / f'cargo-{name}', script).parent}:/usr/local/bin:/usr/bin:/bin"


# SIMULATES 192 CPUs: nextest has 192 worker threads, and malloc eight arenas for each CPU.
MANY = "export TOKIO_WORKER_THREADS=192 MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-1536}\n"


def test_nextest_runs_under_the_cap_on_192_cpus(real: Host) -> None:
    place = crate(real)
    path = subcommand(real, "nextest", MANY)
    cargo = real.toolchain(f"{CHANNEL}-{TRIPLE}")
    bare = f'ulimit -v 4194304; export PATH="{cargo.parent}:$PATH"; "{cargo}" nextest run -p demo'
    # The number of workers that allocate before the end varies, so a run without the settings can pass.
    eventually(lambda: real.shell(bare, cwd=place, PATH=path).status != 0)
    result = real.cargo("nextest", "run", "-p", "demo", cwd=place, PATH=path)
    assert result.status == 0, result.err
    assert "1 test run: 1 passed" in result.err


@pytest.mark.parametrize(
    "words", ["test --all-targets", "check --all-features --tests", "rustc --all-targets", "nextest run --all-targets",
              "nextest --user-config-file none run", "nextest -P default list"],
)  # fmt: skip
def test_suggested_commands_are_accepted_by_cargo_and_nextest(real: Host, words: str) -> None:
    place = crate(real)
    (place / "src" / "lib.rs").touch()
    path = subcommand(real, "nextest") if "nextest" in words else "/usr/local/bin:/usr/bin:/bin"
    refusal = real.cargo(*words.split(), cwd=place, PATH=path)
    instead = refusal.err.strip().rpartition("Instead: cargo_agent.sh ")[2].replace("NAME", "demo")
    result = real.cargo(*instead.split(), cwd=place, PATH=path)
    assert (refusal.status, result.status) == (2, 0), result.err


# A STAND-IN for libFuzzer: the functions that instrumented code calls, and a main that prints its limit.
FUZZ_TARGET = """
std::arch::global_asm!(
    ".section .tbss,\\"awT\\",@nobits",
    ".globl __sancov_lowest_stack", ".type __sancov_lowest_stack,@object", "__sancov_lowest_stack: .zero 8", ".text"
);
macro_rules! ignore { ($($name:ident)*) => { $(#[no_mangle] pub extern "C" fn $name() {})* } }
ignore! {
    __sanitizer_cov_8bit_counters_init __sanitizer_cov_pcs_init __sanitizer_cov_trace_pc_indir
    __sanitizer_cov_trace_cmp1 __sanitizer_cov_trace_const_cmp1 __sanitizer_cov_trace_cmp2 __sanitizer_cov_trace_const_cmp2
    __sanitizer_cov_trace_cmp4 __sanitizer_cov_trace_const_cmp4 __sanitizer_cov_trace_cmp8 __sanitizer_cov_trace_const_cmp8
    __sanitizer_cov_trace_switch
}
fn main() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    print!("{}", limits.lines().find(|line| line.starts_with("Max address space")).unwrap());
}
"""


def test_fuzz_runs_a_target_under_the_cap(real: Host) -> None:
    place = crate(real)
    target = place / "fuzz" / "fuzz_targets" / "parser.rs"
    target.parent.mkdir(parents=True)
    target.write_text(FUZZ_TARGET)
    (place / "fuzz" / "Cargo.toml").write_text(
        MANIFEST.format(name="demo-fuzz")
        + "[package.metadata]\ncargo-fuzz = true\n"
        + f'[[bin]]\nname = "parser"\npath = "fuzz_targets/{target.name}"\n[workspace]\n'
    )
    result = real.cargo("fuzz", "run", "parser", cwd=place, PATH=subcommand(real, "fuzz"))
    assert result.status == 0, result.err
    assert result.out.split()[3:5] == [str(4 << 30)] * 2
