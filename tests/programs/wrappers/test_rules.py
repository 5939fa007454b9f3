# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The forbidden commands in every spelling, and the allowed ones. Both are in data/commands.yml."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
import yaml

from .host import Host, program

COMMANDS: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "data" / "commands.yml").read_text())
REFUSED = [(rule, line) for rule, lines in COMMANDS.items() if rule != "allowed" for line in lines]


@pytest.mark.parametrize("line", COMMANDS["allowed"])
def test_allowed_commands_run_unchanged(shared_host: Host, line: str) -> None:
    words = shlex.split(line)
    result = shared_host.cargo(*words, NOVA_CARGO_LIMIT_AS="unlimited")
    assert (result.status, result.ran) == (0, True), result.err
    assert result.args[-len(words) :] == words


@pytest.mark.parametrize(("rule", "line"), REFUSED)
def test_forbidden_commands_are_refused_in_one_line(shared_host: Host, rule: str, line: str) -> None:
    result = shared_host.cargo(*shlex.split(line))
    assert (result.status, result.ran, len(result.lines)) == (2, False, 1), result.err
    assert ("fuzz with --sanitizer" if rule == "sanitizer" else f"refused by the {rule} rule: ") in result.err


def offered(host: Host, line: str) -> list[str]:
    """The command that a refusal suggests."""
    return shlex.split(host.cargo(*shlex.split(line)).err.strip().rpartition("Instead: cargo_agent.sh ")[2])


@pytest.mark.parametrize("line", [line for rule, line in REFUSED if rule != "sanitizer"])
def test_suggested_command_of_a_refusal_passes(shared_host: Host, line: str) -> None:
    result = shared_host.cargo(*offered(shared_host, line))
    assert (result.status, result.ran) == (0, True), result.err


@pytest.mark.parametrize("line", [line for rule, line in REFUSED if rule != "sanitizer"])
def test_suggested_command_of_a_refusal_exists(shared_host: Host, line: str) -> None:
    """The suggestion has only the command for cargo's own commands, and also the action for other programs."""
    instead = offered(shared_host, line)
    if line.startswith(OF_OTHERS) or "nextest-archive" in line:
        assert instead[0] == line.split()[0] and " -p NAME" in " ".join(instead)
        return
    plain = [word for word in shlex.split(line) if word in SUBCOMMANDS]
    leading = [{"b": "build", "c": "check", "t": "test"}.get(plain[0], plain[0])]
    if plain[0] in ("nextest", "miri", "hack", "fuzz", "careful", "llvm-cov"):
        leading += plain[1:]
    count = len(leading)
    assert instead[:count] == leading
    assert instead[count:] in (
        ["-p", "NAME"],
        ["-p", "NAME", "--lib"],
        ["-p", "NAME", "--tests"],
        ["--lib"],
        ["--fix", "--lib"],
        ["NAME"],
    )
    assert (instead[count:] == ["NAME"]) is (plain[0] in ("fuzz", "install"))  # which have no -p


# Commands of other programs, and those that contain a cargo command.
OF_OTHERS = (
    "watch",
    "msrv",
    "with",
    "criterion",
    "codspeed",
    "all-",
    "insta ",
    "rail",
    "valgrind",
    "make",
    "ltest",
    "test-all",
)
SUBCOMMANDS = [
    *("build", "b", "check", "c", "clippy", "test", "t", "bench", "run", "rustc", "fix", "install"),
    *("nextest", "r", "list", "archive", "miri", "hack", "fuzz", "careful", "llvm-cov", "tarpaulin", "mutants"),
]


def test_refusal_names_rule_reason_and_alternative(shared_host: Host) -> None:
    assert shared_host.cargo("test").err == (
        "cargo_agent: refused by the scope rule: test compiles and links each test target; no package is named. "
        "Instead: cargo_agent.sh test -p NAME\n"
    )
    assert shared_host.cargo("b", "--all-targets").err == (
        "cargo_agent: refused by the all-targets rule: it compiles every target at once. "
        "Instead: cargo_agent.sh build -p NAME --lib\n"
    )


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("watch -x test", ["watch", "-x", "test -p NAME"]),
        ("watch --exec=test", ["watch", "--exec=test -p NAME"]),
        ("watch -s 'cargo check && cargo test'", ["watch", "-s", "cargo test -p NAME"]),
        ("msrv verify -- cargo test", ["msrv", "verify", "--", "cargo", "test", "-p", "NAME"]),
        ("with 'gdb --args' -- test", ["with", "gdb --args", "--", "test", "-p", "NAME"]),
        ("watch -x 'clippy --all-targets'", ["watch", "-x", "clippy -p NAME --lib"]),
        ("make test", ["make", "test", "-p", "NAME"]),
        ("criterion", ["criterion", "-p", "NAME"]),
    ],
)
def test_refusal_suggests_the_whole_command_also_for_nested_ones(
    shared_host: Host, line: str, instead: list[str]
) -> None:
    assert offered(shared_host, line) == instead


def test_aliases_and_nested_commands_are_resolved(host: Host) -> None:
    configured(host, '[alias]\nw = "watch -x test"\nround = "watch -x round"\n')
    assert "refused by the scope rule" in host.cargo("w").err
    assert "refused by the scope rule" in host.cargo("watch", "-s", "cargo watch -x test").err
    assert host.cargo("round").ran


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("test -p nova-lsp --test stdio_server", "test -p nova-lsp --test tests"),
        ("nextest run --test=stdio_type_hierarchy -p nova-lsp", "nextest run --test=tests -p nova-lsp"),
        ("t --package=nova-lsp --test stdio_server -- --test stdio_server", "t --package=nova-lsp --test tests -- --test stdio_server"),
        ("test -p nova-lsp stdio_server", "test -p nova-lsp stdio_server"),
        ("test -p nova-core --test stdio_server", "test -p nova-core --test stdio_server"),
    ],
)  # fmt: skip
def test_stdio_harnesses_of_nova_lsp_run_the_harness_tests(host: Host, words: str, expected: str) -> None:
    assert host.cargo(*words.split()).args == expected.split()
    for name in ("stdio_server", "stdio_type_hierarchy"):
        program(host.checkout / "crates" / "nova-lsp" / "tests" / f"{name}.rs", "")
    assert host.cargo(*words.split()).args == words.split()  # a checkout that has them as files


def test_manifest_of_a_workspace_without_a_package_names_no_package(host: Host) -> None:
    (host.checkout / "Cargo.toml").write_text(
        '# a comment\n[workspace]\nmembers = ["core"]\n[workspace.package]\nedition = "2021"\n'
    )
    for words in (["--manifest-path", "Cargo.toml"], [f"--manifest-path={host.checkout}/Cargo.toml"]):
        result = host.cargo("test", *words)
        assert result.err == (
            f"cargo_agent: refused by the scope rule: test compiles and links each test target; '{words[-1].split('=')[-1]}' is a "
            "workspace of packages. Instead: cargo_agent.sh test -p NAME\n"
        )
    assert host.cargo("test", "--manifest-path", "Cargo.toml", "-p", "core").ran
    (host.checkout / "Cargo.toml").write_text('[package]\nname = "core"\n[workspace]\n')
    assert host.cargo("test", "--manifest-path", "Cargo.toml").ran


def test_unscoped_tests_can_be_allowed_but_all_targets_cannot(shared_host: Host) -> None:
    assert shared_host.cargo("test", NOVA_CARGO_ALLOW_UNSCOPED_TEST="1").ran
    assert shared_host.cargo("test", NOVA_CARGO_ALLOW_UNSCOPED_TEST="yes").status == 2
    assert shared_host.cargo("test", "--all-targets", NOVA_CARGO_ALLOW_UNSCOPED_TEST="1").status == 2


# Root drops the right to read everything. It still owns the files.
AGENT = "setpriv --bounding-set=-all --inh-caps=-all" if os.geteuid() == 0 else ""


def configured(host: Host, text: str) -> None:
    """The checkout with this cargo configuration."""
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text(text, newline="")


ALIASES = """
[build]
xt = "test --workspace"
[alias]
xt = "test --workspace" # comment
"xq" = 'test -p nova-core'
list = ["test", "--locked"]
clippy-all = [ "clippy", '--all-targets' ]
two = "one --lib"
one = "t"
t = "test -p nova-core"
loop = "loop --lib"
fmt = "test"
rm = "bench"
build = "test"
quiet = ["-q"]
manifest = ["test", "--manifest-path", "a b/Cargo.toml"]
"""


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("xt", "scope"),
        ("xt -p nova-core", "scope"),
        ("--locked xt", "scope"),
        ("xq", None),
        ("xq --workspace", "scope"),
        ("list", "scope"),
        ("list -p nova-core", None),
        ("clippy-all", "all-targets"),
        ("two", None),
        ("t", None),
        ("loop", None),
        ("manifest", None),
        ("fmt", "scope"),
        ("fmt -p nova-core", None),
        ("rm", "scope"),
        ("build", None),
        ("unknown", None),
    ],
)
def test_aliases_of_the_repository_are_resolved(host: Host, line: str, rule: str | None) -> None:
    configuration = host.checkout / ".cargo" / "config.toml"
    configuration.parent.mkdir()
    configuration.write_text(ALIASES)
    below = host.checkout / "crates" / "core"
    below.mkdir(parents=True)
    result = host.cargo(*line.split(), cwd=below)
    assert result.ran is (rule is None), result.err
    assert rule is None or f"refused by the {rule} rule" in result.err


@pytest.mark.parametrize(
    "value",
    [
        '[\n  "test", "te\\u0073t",\n]',
        '["test",\n',
        '"""te\\u0073t\n--workspace"""',
        '"te\\u0073t"',
        "{}",
    ],
)
def test_alias_that_cannot_be_parsed_gets_gate_and_cap(host: Host, value: str) -> None:
    configuration = host.checkout / ".cargo" / "config.toml"
    configuration.parent.mkdir()
    configuration.write_text(f"[alias]\nodd = {value}\n")
    farther = host.root / "home" / ".cargo" / "config.toml"
    farther.parent.mkdir()
    farther.write_text('alias.odd = "fmt"\n')  # it needs no slot, and cargo would not run it
    result = host.cargo("odd")
    assert (result.status, result.args) == (0, ["odd"]) and result.env["NOVA_CARGO_GATE"], result.err
    assert result.limit("Max address space") == (str(4 << 30),) * 2


def test_alias_without_a_command_gets_gate_and_cap(host: Host) -> None:
    configured(host, "[alias]\nquiet = ['-q']\n")
    result = host.cargo("quiet")
    assert (result.args, result.limit("Max address space")[1]) == (["quiet"], str(4 << 30))
    assert result.env["NOVA_CARGO_GATE"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('include = ["shared.toml"]\n', "scope"),
        ("include = 'shared.toml'\n", "scope"),
        ('include = [\n  { path = "none.toml", optional = true },\n  { path = "shared.toml" },\n]\n', "scope"),
        (
            '[[include]]\npath = "none.toml"\noptional = true\n[[include]]\noptional = true\npath = "shared.toml"\n',
            "scope",
        ),
        ("[[ 'include' ]]\n\"path\" = 'shared.toml'\n", "scope"),
        ('[[bin]]\npath = "shared.toml"\n', None),
        ('include = ["shared.toml"]\n[alias]\ntt = "check"\n', None),
        ('[build]\ninclude = ["shared.toml"]\n', None),
    ],
)
def test_included_configuration_files_are_read(host: Host, text: str, rule: str | None) -> None:
    configured(host, text)
    (host.checkout / ".cargo" / "shared.toml").write_text('[alias]\ntt = "test --workspace"\n')
    result = host.cargo("tt")
    assert result.ran is (rule is None), result.err
    assert rule is None or f"refused by the {rule} rule" in result.err


def test_alias_in_a_file_of_the_command_line_is_not_used(host: Host) -> None:
    """As cargo 1.95."""
    configured(host, '[alias]\ntt = "test --workspace"\n')
    (host.checkout / "ci.toml").write_text('[alias]\ntt = "check -p x"\n')
    for words in (["--config", "ci.toml", "tt"], ["tt", "--config=ci.toml"]):
        assert "refused by the scope rule" in host.cargo(*words).err


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ('[\n  "test",\n  "--workspace",\n]', "scope"),
        ('["test",\n  "--workspace"]', "scope"),
        ('[\n  # a comment\n  "test",\n  "-p", "x",\n]', None),
        ("'''test --workspace'''", "scope"),
        ('"""\ntest\n  --workspace\n"""', "scope"),
        ('"""test -p x"""', None),
    ],
)
def test_alias_over_several_lines_is_resolved(host: Host, value: str, rule: str | None) -> None:
    configured(host, f"[alias]\nodd = {value}\n")
    result = host.cargo("odd")
    assert result.ran is (rule is None), result.err
    assert rule is None or f"refused by the {rule} rule" in result.err


@pytest.mark.parametrize(
    ("farther", "nearer", "environment", "rule"),
    [
        ('["test"]', '["--locked"]', None, "scope"),
        ('["test", "-p"]', '["nova-core"]', None, None),
        ('["test", "-p", "nova-core"]', '["--workspace"]', None, "scope"),
        ('["test", "-p", "nova-core"]', None, "--workspace", "scope"),
        ('["test",', '["-p", "nova-core"]', None, None),  # the whole alias can't be parsed
        ('"test"', '"build"', None, None),
        ('"build"', '"test"', None, "scope"),
        ('"build"', None, "test", "scope"),
    ],
)
def test_arrays_of_two_files_are_joined_as_in_cargo(
    host: Host, farther: str, nearer: str | None, environment: str | None, rule: str | None
) -> None:
    below = host.checkout / "crates"
    (host.checkout / ".cargo").mkdir()
    (below / ".cargo").mkdir(parents=True)
    (host.checkout / ".cargo" / "config.toml").write_text(f"[alias]\nx = {farther}\n")
    if nearer:
        (below / ".cargo" / "config.toml").write_text(f"[alias]\nx = {nearer}\n")
    # The configuration of the home is not read twice if it is in a parent folder.
    result = host.cargo("x", cwd=below, CARGO_ALIAS_X=environment, CARGO_HOME=str(host.checkout / ".cargo"))
    assert result.ran is (rule is None), result.err
    assert rule is None or f"refused by the {rule} rule" in result.err
    assert not result.ran or result.env["NOVA_CARGO_GATE"]


@pytest.mark.parametrize(
    "text",
    [
        '[ alias ]\n"x" = "test"\n',
        '"alias"."x" = "test"\n',
        "alias . x = 'test'\n",
        '\ufeff[alias]\r\nx = "test"\r\n',
        '[alias]\nx = ["test"] # all of them\n[other]\nx = "build"\n',
        'alias = { x = "test" }\n',
        "alias = { y = 'build', x = ['test'], z = 'build' } # all\n",
        '[alias]\nx = [ # all [of\n  "test", # them]\n]\n',
    ],
)
def test_alias_is_read_in_every_spelling(host: Host, text: str) -> None:
    configured(host, text)
    assert "refused by the scope rule" in host.cargo("x").err


def test_configuration_is_searched_from_the_physical_working_directory(host: Host) -> None:
    configured(host, '[alias]\nx = "test"\n')
    (host.checkout / "rust-toolchain").write_text("1.77.0\n")
    crate = host.checkout / "crates"
    crate.mkdir()
    link = host.root / "link"
    link.symlink_to(crate)
    assert "refused by the scope rule" in host.cargo("x", cwd=link, PWD=str(link)).err
    assert "pins Rust '1.77.0'" in host.cargo("build", cwd=link, PWD=str(link)).err
    (host.checkout / "rust-toolchain").unlink()
    moved = host.shell(f'cd "{crate}"; cd "{link}"; bash "{host.cargo_agent}" build', STANDIN_DO='echo "$PWD $OLDPWD"')
    assert moved.out == f"{link} {crate}\n"
    assert "OLDPWD" not in host.cargo("build", cwd=link, PWD=str(link)).env


def test_unreadable_configuration_is_a_one_line_error(host: Host) -> None:
    for name in (".cargo/config.toml", "rust-toolchain"):
        file = host.checkout / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x\n")
        file.chmod(0)
        result = host.shell(f'exec {AGENT} bash "{host.cargo_agent}" x')
        assert (result.status, result.err) == (2, f"cargo_agent: '{file}' may not be read\n")
        file.unlink()


def test_aliases_of_home_and_environment_are_resolved(host: Host) -> None:
    assert "scope rule" in host.cargo("all-of-it", CARGO_ALIAS_ALL_OF_IT="test --workspace").err
    dotted = host.root / "home" / ".cargo" / "config.toml"
    dotted.parent.mkdir()
    dotted.write_text('alias.mine = "bench"')
    assert "scope rule" in host.cargo("mine").err
    nearer = host.checkout / ".cargo" / "config"
    nearer.parent.mkdir()
    nearer.write_text('[alias]\nmine = "bench -p nova-core"\n')
    assert host.cargo("mine").ran


@pytest.mark.parametrize("action", ["run", "r", "build", "b", "check", "c", "fmt", "cmin", "tmin", "coverage", "cov"])
def test_fuzz_runs_without_a_sanitizer_under_the_cap(shared_host: Host, action: str) -> None:
    assert shared_host.cargo("fuzz", action, "run").args == ["fuzz", action, "--sanitizer", "none", "run"]
    without = ["fuzz", "--fuzz-dir", action, action, "-O"]
    assert shared_host.cargo(*without, "x").args == [*without[:4], "--sanitizer", "none", "-O", "x"]


def test_fuzz_is_not_changed_if_it_compiles_nothing_or_without_a_cap(shared_host: Host) -> None:
    assert shared_host.cargo("fuzz", "ls").args == ["fuzz", "ls"]
    assert shared_host.cargo("fuzz", "list").args == ["fuzz", "list"]
    lifted = shared_host.cargo("fuzz", "run", "-s", "address", "parser", NOVA_CARGO_LIMIT_AS="unlimited")
    assert lifted.args == ["fuzz", "run", "-s", "address", "parser"]
