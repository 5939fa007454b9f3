# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What an agent sees of the host's toolchain, through the shims, and that he can't change any of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import TRIPLES
from mirror_server import Server
from trees import NOBODY, Tree

TEMPLATES = Path(__file__).parents[3] / "roles/agent_toolchain/templates"
BARE = {"PATH": "/usr/bin:/bin"}
TRIPLE = TRIPLES[os.uname().machine]


def render(name: str, prefix: Path) -> str:
    variables = {"agent_policy_prefix": str(prefix)}
    templar = Templar(DataLoader(), variables=variables)
    from ansible.template import trust_as_template

    return str(templar.template(trust_as_template((TEMPLATES / name).read_text())))


@dataclass
class Host:
    """The files that the role puts on a host, below a prefix; commands run as nobody, with next to no environment."""

    prefix: Path
    tree: Tree

    def run(self, *words: str, cwd: str = "/", umask: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env={**BARE, **environment}, cwd=cwd, umask=umask, user=NOBODY, group=NOBODY, extra_groups=[],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def tool(self, name: str, /, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.prefix / "local" / name), *words, umask=0, cwd="/", **environment)


@pytest.fixture
def host(folder: Path, server: Server) -> Host:
    tree = Tree(folder / "toolchain", server.url)
    tree.apply("1.92.0", components=["clippy", "rustfmt"], extra=[{"channel": "1.93.0"}])
    for name in ("shims", "local", "libexec"):
        (folder / name).mkdir(mode=0o755)
    shim = folder / "shims/rustup"
    shim.write_text(render("shim.sh.j2", folder))
    shim.chmod(0o755)
    pin = folder / "local/check-toolchain-pin"
    pin.write_text(render("check-toolchain-pin.sh.j2", folder))
    pin.chmod(0o755)
    for name in ("cargo", "rustc", "rustfmt", "cargo-clippy"):
        (folder / "shims" / name).symlink_to("rustup")
    for name in ("cargo", "rustc", "rustfmt", "cargo-clippy", "rustup"):
        (folder / "local" / name).symlink_to(folder / "shims" / name)
    return Host(folder, tree)


def test_an_agent_can_write_nothing(host: Host) -> None:
    found = host.run("find", str(host.prefix), "-writable", "!", "-type", "l")
    assert (found.stdout, found.stderr) == ("", "")
    for command in (
        ["touch", f"{host.tree.path}/x"],
        ["rm", "-f", f"{host.tree.sysroot()}/bin/rustc"],
        ["mv", str(host.tree.path), f"{host.prefix}/other"],
        ["ln", "-sfn", "/tmp", str(host.tree.path)],
        ["chmod", "u+w", f"{host.tree.path}/bin/rustup"],
        ["cat", f"{host.tree.generations}/lock"],
        ["flock", "-n", f"{host.tree.generations}/lock", "true"],
        [f"{host.tree.path}/bin/rustup", "toolchain", "uninstall", "1.92.0"],
        [f"{host.tree.path}/bin/rustup", "set", "auto-install", "enable"],
    ):
        assert host.run(*command, RUSTUP_HOME=f"{host.tree.path}/rustup").returncode != 0, command
    assert host.tree.observe().problems == []


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_using_it_changes_nothing_whatever_the_umask(host: Host, umask: int) -> None:
    assert host.run(f"{host.prefix}/local/rustc", "-V", umask=umask).stdout == "rustc 1.92.0 (FIXTURE 2025-12-11)\n"
    assert host.run(f"{host.prefix}/local/cargo", "build", umask=umask).stdout == "FIXTURE cargo build\n"
    assert host.tree.observe().problems == []


def test_root_who_uses_it_changes_nothing(host: Host) -> None:
    for words in (["cargo", "build"], ["rustup", "show"], ["rustc", "+1.93.0", "-V"]):
        subprocess.run([host.prefix / "local" / words[0], *words[1:]], env=BARE, check=True, capture_output=True)
    assert host.tree.observe().problems == []


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HOME": "/nonexistent"},
        {"RUSTUP_HOME": "/home/agent/.rustup"},
        {"RUSTUP_HOME": "{prefix}/.toolchain/../evil/rustup"},
        {"RUSTUP_HOME": "{prefix}/.toolchain/goneaway/rustup"},
        {"RUSTUP_HOME": "{prefix}/.toolchain//rustup"},
        {"CARGO_HOME": "/home/agent/$(id)"},
        {"RUSTUP_AUTO_INSTALL": "1"},
        {"IFS": "/"},
    ],
    ids=str,
)
def test_the_pin_whatever_the_environment(host: Host, environment: dict[str, str]) -> None:
    evil = host.prefix / "evil"
    (evil / "rustup").mkdir(parents=True)
    (evil / "env").write_text("echo evil; exit 3\n")
    said = host.tool("rustc", "-V", **{name: value.format(prefix=host.prefix) for name, value in environment.items()})
    assert (said.stdout, said.stderr, said.returncode) == ("rustc 1.92.0 (FIXTURE 2025-12-11)\n", "", 0)


def test_an_explicit_channel(host: Host) -> None:
    assert host.tool("rustc", "+1.93.0", "-V").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"
    assert host.tool("rustc", f"+1.93.0-{TRIPLE}", "-V").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"
    assert host.tool("rustc", "-V", RUSTUP_TOOLCHAIN="1.93.0").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"


@pytest.mark.parametrize(
    ("words", "environment", "source"),
    [(["+nightly", "-V"], {}, "the command line"), (["-V"], {"RUSTUP_TOOLCHAIN": "nightly"}, "RUSTUP_TOOLCHAIN")],
)
def test_a_channel_that_is_not_there(host: Host, words: list[str], environment: dict[str, str], source: str) -> None:
    said = host.tool("rustc", *words, **environment)
    assert said.stderr == (
        f"rustc: Rust nightly (from {source}) is not on this host; there are:\n  +1.92.0\n  +1.93.0\n"
        "An administrator adds one with agent_toolchain_extra.\n"
    )
    assert (said.stdout, said.returncode) == ("", 1)


def test_a_checkout_that_pins_another_one(host: Host) -> None:
    checkout = host.prefix / "a b$(id)"
    checkout.mkdir(mode=0o755)
    (checkout / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.93.0"\n')
    assert host.run(f"{host.prefix}/local/rustc", "-V", cwd=str(checkout)).stdout.startswith("rustc 1.93.0 ")
    (checkout / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.94.0"\n')
    said = host.run(f"{host.prefix}/local/rustc", "-V", cwd=str(checkout))
    assert (said.returncode, said.stderr.splitlines()[0]) == (1, f"error: toolchain '1.94.0-{TRIPLE}' is not installed")


def test_rustup_reads_but_does_not_change(host: Host) -> None:
    assert host.tool("rustup", "toolchain", "list").returncode == 0
    said = host.tool("rustup", "toolchain", "install", "nightly")
    assert said.stderr == (
        "rustup: this host's Rust is the same for everyone; an administrator changes it with agent_toolchain_*\n"
    )
    assert said.returncode == 1


def test_no_name_of_the_user_is_changed(host: Host) -> None:
    names = {"PREFIX": "mine", "name": "mine", "generation": "mine", "CHANNEL": "mine", "TRIPLE": "mine"}
    guard = host.prefix / "libexec/cargo-guard"
    guard.write_text("#!/bin/sh\nenv | sort\n")
    guard.chmod(0o755)
    seen = dict(line.split("=", 1) for line in host.tool("cargo", "build", **names).stdout.splitlines())
    assert {name: seen.get(name) for name in names} == names
    assert seen["RUSTUP_HOME"] == f"{host.tree.path.resolve()}/rustup"
    assert set(seen) == {*names, "PATH", "PWD", "RUSTUP_HOME"}


def test_the_guard_gets_cargo_and_nothing_else(host: Host) -> None:
    guard = host.prefix / "libexec/cargo-guard"
    guard.write_text('#!/bin/sh\necho "guard: $*"\n')
    guard.chmod(0o755)
    assert host.tool("cargo", "+1.93.0", "build").stdout == "guard: +1.93.0 build\n"
    assert host.tool("rustc", "-V").stdout == "rustc 1.92.0 (FIXTURE 2025-12-11)\n"
    guard.chmod(0o644)
    assert host.tool("cargo", "build").stdout == "FIXTURE cargo build\n"


def test_a_build_stays_in_its_generation(host: Host) -> None:
    old = host.tree.path.resolve()
    kept = host.prefix / "kept"
    shutil.copytree(old, kept, symlinks=True)
    host.tree.apply("1.93.0", purge=True)
    kept.rename(old)  # as if a program ran in it
    said = host.tool("rustc", "-V", RUSTUP_HOME=f"{old}/rustup", RUSTUP_TOOLCHAIN=f"1.92.0-{TRIPLE}")
    assert (said.stdout, said.stderr) == ("rustc 1.92.0 (FIXTURE 2025-12-11)\n", "")
    assert host.tool("rustc", "-V").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"


def test_no_toolchain_at_all(host: Host) -> None:
    host.tree.path.unlink()
    said = host.tool("cargo", "build")
    assert said.stderr == (
        f"cargo: there is no Rust in {host.prefix}/toolchain; an administrator installs it with nova.agent_host.site\n"
    )
    assert said.returncode == 127


@pytest.mark.parametrize(
    ("name", "content", "status", "says"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.92.0"\n', 0, "Rust 1.92.0, as {file} pins it\n"),
        ("rust-toolchain.toml", "[toolchain]\n  channel='1.92.0' # pin\n", 0, "Rust 1.92.0, as {file} pins it\n"),
        ("rust-toolchain", "1.92.0\n", 0, "Rust 1.92.0, as {file} pins it\n"),
        ("rust-toolchain", f"1.92.0-{TRIPLE}", 0, "Rust 1.92.0, as {file} pins it\n"),
        (
            "rust-toolchain.toml",
            '[toolchain]\nchannel = "1.93.0"\n',
            1,
            "check-toolchain-pin: {file} pins Rust 1.93.0, but this host has 1.92.0: "
            "change the file, or the host's agent_policy_rust_channel\n",
        ),
        (
            "rust-toolchain.toml",
            "[toolchain]\ncomponents = []\n",
            2,
            "check-toolchain-pin: {file} names no channel; the host has Rust 1.92.0\n",
        ),
        (
            "README",
            "",
            2,
            "check-toolchain-pin: {checkout} has no rust-toolchain.toml to read; the host has Rust 1.92.0\n",
        ),
    ],
)
def test_the_check_of_a_checkouts_pin(host: Host, name: str, content: str, status: int, says: str) -> None:
    checkout = host.prefix / "check out"
    checkout.mkdir(mode=0o755)
    (checkout / name).write_text(content)
    said = host.tool("check-toolchain-pin", str(checkout))
    assert said.stdout + said.stderr == says.format(file=checkout / name, checkout=checkout)
    assert said.returncode == status
