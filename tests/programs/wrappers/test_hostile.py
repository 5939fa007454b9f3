# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Hostile variables and arguments: none of them is evaluated or split, followed as a link, or causes a loop."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from .host import GUARD, Host

VALUES: list[str] = yaml.safe_load((Path(__file__).parent / "data" / "hostile.yml").read_text())
VARIABLES = [
    "LIMIT_AS", "LIMIT_CPU", "LIMIT_STACK", "NOVA_CARGO_LIMIT_AS", "NOVA_CARGO_SLOTS", "NOVA_CARGO_JOBS",
    "NOVA_RUST_TEST_THREADS", "NOVA_CARGO_ALLOW_UNSCOPED_TEST", "NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN",
    "NOVA_CARGO_KEEP_RUSTC_WRAPPER", "NOVA_CARGO_SLOT", "NOVA_CARGO_SLOT_FD", "NOVA_CARGO_LOCK_DIR", "RUSTUP_TOOLCHAIN",
    "RUSTUP_HOME", "RUST_TEST_THREADS", "RUSTFLAGS", "CARGO_HOME", "CARGO_BUILD_JOBS", "CARGO_BUILD_TARGET",
    "CARGO_ALIAS_ODD", "MALLOC_ARENA_MAX", "XDG_CACHE_HOME", "HOME", "CARGO", "HOSTTYPE", "UID", "SECONDS", "IFS",
    "GLOBIGNORE", "POSIXLY_CORRECT", "slots", "limits", "options", "command", "cargo", "words", "file", "cap", "low_stack",
    "turn_fd", "alive", "outer_locale", "limits_loaded", "literal", "path_entry", "own_toolchain", "most", "found",
    "NOVA_CARGO_PATH_ENTRY", "NOVA_CARGO_OWN_TOOLCHAIN", "NEXTEST_TEST_THREADS", "CARGO_ENCODED_RUSTFLAGS",
]  # fmt: skip


def unharmed(host: Host, before: set[Path]) -> bool:
    return not list(host.root.rglob("injected*")) and set(host.checkout.rglob("*")) == before


@pytest.mark.parametrize("variable", VARIABLES)
def test_variables_are_never_evaluated(shared_host: Host, variable: str) -> None:
    before = set(shared_host.checkout.rglob("*"))
    words = ["odd"] if variable in ("CARGO_ALIAS_ODD", "CARGO_HOME", "HOME", "IFS") else ["test", "-p", "x"]
    for value in VALUES:
        result = shared_host.cargo(*words, **{variable: value})
        assert result.status in (0, 2), (value, result.err)
        # New versions of glibc warn about MALLOC_ARENA_MAX when bash starts, before the wrapper can change it.
        assert "\x1b" not in re.sub("(?s)WARNING: ld.so: .*?: ignored\\.\n", "", result.err)
        assert ": line " not in result.err, result.err  # errors of bash itself
        assert not result.ran or result.args == words
    assert unharmed(shared_host, before)


@pytest.mark.parametrize("value", VALUES)
def test_arguments_are_passed_on_unchanged(shared_host: Host, value: str) -> None:
    before = set(shared_host.checkout.rglob("*"))
    for words in (
        ["build", "--", value],
        ["run", "x", value],
        ["build", "--bin", f"b{value}"],
        ["test", "-p", "x", value],
    ):
        result = shared_host.cargo(*words)
        assert (result.status, result.args[-len(words) :]) == (0, words), result.err
    shared_host.cargo(value)
    shared_host.cargo("build", value)
    assert unharmed(shared_host, before)


@pytest.mark.parametrize("value", VALUES)
def test_limit_is_a_size_or_is_refused(shared_host: Host, value: str) -> None:
    before = set(shared_host.checkout.rglob("*"))
    for option in ("--as", "--cpu", "--stack"):
        process = shared_host.start("bash", shared_host.run_limited, option, value, "--", "echo", "ran")
        out, err = process.communicate(timeout=GUARD)
        assert (process.returncode, out, len(err.splitlines())) == (2, "", 1), err
    assert unharmed(shared_host, before)


@pytest.mark.parametrize("name", ["a b$(touch injected)", "-rf", "new\nline", "*"])
def test_checkout_may_have_any_name(host: Host, name: str) -> None:
    folder = host.checkout / name
    (folder / ".cargo").mkdir(parents=True)
    (folder / ".cargo" / "config.toml").write_text('[alias]\nodd = "test --workspace"\n')
    before = set(host.checkout.rglob("*"))
    assert host.cargo("build", cwd=folder).status == 0
    assert "scope rule" in host.cargo("odd", cwd=folder).err
    assert unharmed(host, before)


def test_exported_functions_and_odd_shell_options_change_no_rule(shared_host: Host) -> None:
    for env in (
        {"BASH_FUNC_check_rules%%": "() { :; }"},
        {"BASH_FUNC_refuse%%": "() { :; }"},
        {"BASHOPTS": "nocasematch:extglob"},
        {"SHELLOPTS": "noglob"},
        {"LC_ALL": "no_SUCH"},
    ):
        assert shared_host.cargo("test", **env).status == 2, env


def test_removed_working_directory_ends_the_command(shared_host: Host) -> None:
    for more in ("", "unset PWD;"):
        result = shared_host.shell(f"mkdir gone; cd gone; rmdir ../gone; {more} bash {shared_host.cargo_agent} build")
        assert "unbound" not in result.err


def test_options_of_perl_do_not_change_the_gate(shared_host: Host) -> None:
    for env in (
        {"PERL5OPT": "-Mno_such_module"},
        {"PERL5OPT": "-Mstrict"},
        {"PERL_UNICODE": "SDA"},
        {"PERLIO": ":utf8"},
    ):
        result = shared_host.cargo("build", **env)
        assert (result.status, result.err) == (0, "") and not env.keys() & result.env.keys()
