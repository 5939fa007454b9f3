# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The toolchain for an agent: it works through the shims, and the agent can't change it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import TRIPLES
from mirror_server import serving
from repackage import channel_checksums
from trees import NOBODY, Tree, public_folder

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
    """The files of the role below a prefix. Commands run as nobody, with a minimal environment."""

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
def own() -> Iterator[Path]:
    """A folder of an agent, outside the prefix."""
    with public_folder() as path:
        yield path


@pytest.fixture(scope="module")
def installed(mirror: Path) -> Iterator[Host]:
    """A host for the tests that change nothing on it."""
    with serving(mirror) as server, public_folder() as folder:
        yield install(folder, Tree(folder / "toolchain", server.url, channel_checksums(mirror)))


@pytest.fixture
def host(folder: Path, tree: Tree) -> Host:
    return install(folder, tree)


def install(folder: Path, tree: Tree) -> Host:
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


def test_agent_can_write_no_file_of_the_toolchain(installed: Host) -> None:
    found = installed.run("find", str(installed.prefix), "-writable", "!", "-type", "l")
    assert (found.stdout, found.stderr) == ("", "")
    for command in (
        ["touch", f"{installed.tree.path}/x"],
        ["rm", "-f", f"{installed.tree.sysroot()}/bin/rustc"],
        ["mv", str(installed.tree.path), f"{installed.prefix}/other"],
        ["ln", "-sfn", "/tmp", str(installed.tree.path)],
        ["chmod", "u+w", f"{installed.tree.path}/bin/rustup"],
        ["cat", f"{installed.tree.generations}/lock"],
        ["flock", "-n", f"{installed.tree.generations}/lock", "true"],
        [f"{installed.tree.path}/bin/rustup", "toolchain", "uninstall", "1.92.0"],
        [f"{installed.tree.path}/bin/rustup", "set", "auto-install", "enable"],
    ):
        assert installed.run(*command, RUSTUP_HOME=f"{installed.tree.path}/rustup").returncode != 0, command
    assert installed.tree.observe().problems == []


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_use_changes_no_file_with_any_umask(installed: Host, umask: int) -> None:
    assert (
        installed.run(f"{installed.prefix}/local/rustc", "-V", umask=umask).stdout
        == "rustc 1.92.0 (FIXTURE 2025-12-11)\n"
    )
    assert installed.run(f"{installed.prefix}/local/cargo", "build", umask=umask).stdout == "FIXTURE cargo build\n"
    assert installed.tree.observe().problems == []


def test_use_as_root_changes_no_file(installed: Host) -> None:
    for words in (["cargo", "build"], ["rustup", "show"], ["rustc", "+1.93.0", "-V"]):
        subprocess.run([installed.prefix / "local" / words[0], *words[1:]], env=BARE, check=True, capture_output=True)
    assert installed.tree.observe().problems == []


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
def test_pin_is_used_in_any_environment(installed: Host, environment: dict[str, str]) -> None:
    evil = installed.prefix / "evil"
    (evil / "rustup").mkdir(parents=True, exist_ok=True)
    (evil / "env").write_text("echo evil; exit 3\n")
    done = installed.tool(
        "rustc", "-V", **{name: value.format(prefix=installed.prefix) for name, value in environment.items()}
    )
    assert (done.stdout, done.stderr, done.returncode) == ("rustc 1.92.0 (FIXTURE 2025-12-11)\n", "", 0)


def test_explicit_channel_is_used(installed: Host) -> None:
    assert installed.tool("rustc", "+1.93.0", "-V").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"
    assert installed.tool("rustc", f"+1.93.0-{TRIPLE}", "-V").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"
    assert installed.tool("rustc", "-V", RUSTUP_TOOLCHAIN="1.93.0").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"


@pytest.mark.parametrize(
    ("words", "environment", "source"),
    [(["+nightly", "-V"], {}, "the command line"), (["-V"], {"RUSTUP_TOOLCHAIN": "nightly"}, "RUSTUP_TOOLCHAIN")],
)
def test_missing_channel_fails(installed: Host, words: list[str], environment: dict[str, str], source: str) -> None:
    done = installed.tool("rustc", *words, **environment)
    assert done.stderr == (
        f"rustc: this host has no Rust nightly (from {source}), but these:\n  +1.92.0\n  +1.93.0\n"
        "An operator can add it to agent_toolchain_extra.\n"
    )
    assert (done.stdout, done.returncode) == ("", 1)


def test_pin_of_a_checkout_is_used(installed: Host, own: Path) -> None:
    checkout = own / "a b$(id)"
    checkout.mkdir(mode=0o755)
    (checkout / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.93.0"\n')
    assert installed.run(f"{installed.prefix}/local/rustc", "-V", cwd=str(checkout)).stdout.startswith("rustc 1.93.0 ")
    (checkout / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.94.0"\n')
    done = installed.run(f"{installed.prefix}/local/rustc", "-V", cwd=str(checkout))
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, f"error: toolchain '1.94.0-{TRIPLE}' is not installed")


def test_rustup_lists_toolchains_and_refuses_to_install_one(installed: Host) -> None:
    assert installed.tool("rustup", "toolchain", "list").returncode == 0
    done = installed.tool("rustup", "toolchain", "install", "nightly")
    assert "an operator can change it with agent_toolchain_extra" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    "words",
    [
        "component add clippy rustfmt",
        "-q component add clippy",
        "+1.92.0 component add clippy",
        "target add TRIPLE",
        "toolchain install 1.92.0",
        "install 1.93.0 --no-self-update",
        "default 1.92.0",
        "update",
        "component list",
        "default stable",
        "+stable component add clippy",
        "component add --toolchain 1.92 clippy rustfmt",
        "target add --toolchain stable TRIPLE",
        "toolchain install stable --profile minimal --component clippy,rustfmt --no-self-update",
        "toolchain install 1.92 -c clippy -t TRIPLE",
        "install 1.92.0 1.93.0 --profile=minimal",
        "run stable rustc -V",
    ],
)
def test_rustup_accepts_installed_components(installed: Host, words: str) -> None:
    done = installed.tool("rustup", *words.replace("TRIPLE", TRIPLE).split())
    assert (done.returncode, "operator" in done.stderr) == (0, False), done.stderr
    assert installed.tree.observe().problems == []


@pytest.mark.parametrize(
    "words",
    [
        "component add rust-src",
        "-v component add rust-src",
        "+1.93.0 component add clippy",
        "target add wasm32-unknown-unknown",
        "toolchain install 1.94.0",
        "toolchain uninstall 1.93.0",
        "-q toolchain install 1.92.0 --component rust-src",
        "toolchain install stable -c clippy,rust-src",
        "toolchain install 1.92.0 1.94.0",
        "toolchain install 1.93 --profile minimal",
        "toolchain install 1.92.0 --target=wasm32-unknown-unknown",
        "default 1.93.0",
        "set profile default",
        "self uninstall -y",
    ],
)
def test_rustup_refuses_changes_and_names_the_operator(installed: Host, own: Path, words: str) -> None:
    home = own / "home"
    (home / ".cargo/bin").mkdir(parents=True)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)
    done = installed.tool("rustup", *words.split(), HOME=str(home))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "rustup: all accounts of this host use the same Rust; an operator can change it with agent_toolchain_extra, "
        "agent_toolchain_components and agent_toolchain_targets"
    )
    assert (home / ".cargo/bin").exists()
    assert installed.tree.observe().problems == []


def test_rust_analyzer_of_the_agent_runs_if_the_host_has_none(host: Host, own: Path) -> None:
    (host.prefix / "shims/rust-analyzer").symlink_to("rustup")
    (host.prefix / "local/rust-analyzer").symlink_to(host.prefix / "shims/rust-analyzer")
    path = f"{host.prefix}/local:/usr/bin:/bin"
    done = host.tool("rust-analyzer", "--version", PATH=path)
    assert done.returncode == 1
    assert done.stderr == (
        "rust-analyzer: this host's Rust does not have it, and PATH has no other one; an operator can add rust-analyzer to "
        "agent_toolchain_components\n"
    )
    (own / "rust-analyzer").write_text('#!/bin/sh\necho "own $* ${RUSTUP_HOME-none}"\n')
    (own / "rust-analyzer").chmod(0o755)
    assert host.tool("rust-analyzer", "--version", PATH=f"{path}:{own}").stdout == "own --version none\n"
    assert host.tool("rust-analyzer", "+1.93.0", "-V", PATH=f"{own}:{path}").stdout == "own -V none\n"
    # A program that searches for another one, like a rustup of the agent.
    (own / "rust-analyzer").write_text(f'#!/bin/sh\nexec {host.prefix}/local/rust-analyzer "$@"\n')
    done = host.tool("rust-analyzer", "--version", PATH=f"{path}:{own}")
    assert (done.returncode, "agent_toolchain_components" in done.stderr) == (1, True)


def test_shim_of_a_missing_component_does_not_start_itself(host: Host) -> None:
    for name in ("cargo-miri", "rust-gdb", "rust-lldb", "rust-analyzer", "clippy-driver"):
        (host.prefix / "shims" / name).symlink_to("rustup")
        (host.prefix / "local" / name).symlink_to(host.prefix / "shims" / name)
        done = host.tool(name, "+1.93.0", "--version", PATH=f"{host.prefix}/local:/usr/bin:/bin")
        assert done.returncode != 0
        assert "recursion" not in done.stderr


def test_variables_of_the_user_are_not_changed(host: Host) -> None:
    names = {"PREFIX": "mine", "name": "mine", "generation": "mine", "CHANNEL": "mine", "TRIPLE": "mine"}
    guard = host.prefix / "libexec/cargo-guard"
    guard.write_text("#!/bin/sh\nenv | sort\n")
    guard.chmod(0o755)
    found = dict(line.split("=", 1) for line in host.tool("cargo", "build", **names).stdout.splitlines())
    assert {name: found.get(name) for name in names} == names
    assert found["RUSTUP_HOME"] == f"{host.tree.path.resolve()}/rustup"
    assert set(found) == {*names, "PATH", "PWD", "RUSTUP_HOME"}


def test_only_cargo_starts_the_guard(host: Host) -> None:
    guard = host.prefix / "libexec/cargo-guard"
    guard.write_text('#!/bin/sh\necho "guard: $*"\n')
    guard.chmod(0o755)
    assert host.tool("cargo", "+1.93.0", "build").stdout == "guard: +1.93.0 build\n"
    assert host.tool("rustc", "-V").stdout == "rustc 1.92.0 (FIXTURE 2025-12-11)\n"
    guard.chmod(0o644)
    assert host.tool("cargo", "build").stdout == "FIXTURE cargo build\n"


def test_started_build_keeps_its_generation(host: Host) -> None:
    old = host.tree.path.resolve()
    kept = host.prefix / "kept"
    shutil.copytree(old, kept, symlinks=True)
    host.tree.apply("1.93.0", purge=True)
    kept.rename(old)  # as if a program was running in it
    done = host.tool("rustc", "-V", RUSTUP_HOME=f"{old}/rustup", RUSTUP_TOOLCHAIN=f"1.92.0-{TRIPLE}")
    assert (done.stdout, done.stderr) == ("rustc 1.92.0 (FIXTURE 2025-12-11)\n", "")
    assert host.tool("rustc", "-V").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"


def test_missing_toolchain_fails_with_a_message(host: Host) -> None:
    host.tree.path.unlink()
    done = host.tool("cargo", "build")
    assert done.stderr == (
        f"cargo: {host.prefix}/toolchain has no Rust; ask an operator to apply role agent_toolchain\n"
    )
    assert done.returncode == 127


@pytest.mark.parametrize("name", ["1.92", "stable", f"stable-{TRIPLE}"])
def test_short_name_selects_the_pinned_version(host: Host, name: str) -> None:
    checkout = host.prefix / "checkout"
    checkout.mkdir(mode=0o755)
    (checkout / "rust-toolchain.toml").write_text(f'[toolchain]\nchannel = "{name}"\n')
    version = "rustc 1.92.0 (FIXTURE 2025-12-11)\n"
    assert host.run(f"{host.prefix}/local/rustc", "-V", cwd=str(checkout)).stdout == version
    assert (
        host.tool("rustc", f"+{name}", "-V").stdout == host.tool("rustc", "-V", RUSTUP_TOOLCHAIN=name).stdout == version
    )
    done = host.tool("check-toolchain-pin", str(checkout))
    assert done.returncode == 0, done.stderr
    host.tree.apply("1.93.0", purge=True)
    assert host.tool("rustc", "+stable", "-V").stdout == "rustc 1.93.0 (FIXTURE 2025-12-11)\n"
    assert host.tool("rustc", "+1.92", "-V").returncode == 1
    assert host.tree.observe().problems == []


def test_tree_of_an_older_version_gets_the_short_names(host: Host) -> None:
    generation = host.tree.path.resolve()
    receipt = json.loads((generation / "receipt.json").read_text())
    for path in [path for path in receipt["files"] if path.endswith((f"/1.92-{TRIPLE}", f"/stable-{TRIPLE}"))]:
        (generation / path).unlink()
        del receipt["files"][path]
    (generation / "receipt.json").write_text(json.dumps(receipt))
    assert [problem.split(": ")[1] for problem in host.tree.observe().problems] == ["is missing"] * 2
    host.tree.apply("1.92.0")
    assert host.tree.observe().problems == []
    assert host.tool("rustc", "+stable", "-V").stdout == "rustc 1.92.0 (FIXTURE 2025-12-11)\n"


@pytest.mark.parametrize(
    ("name", "content", "status", "says"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.92.0"\n', 0, "1.92.0, which {file} pins"),
        ("rust-toolchain.toml", "[toolchain]\n  channel='1.92.0' # pin\n", 0, "1.92.0, which {file} pins"),
        ("rust-toolchain.toml", 'toolchain.channel = "1.92.0"\n', 0, "1.92.0, which {file} pins"),
        ("rust-toolchain.toml", '[toolchain]\n"channel" = "1.92.0"\n', 0, "1.92.0, which {file} pins"),
        (
            "rust-toolchain.toml",
            '[other]\nchannel = "1.93.0"\n[toolchain]\nchannel = "1.92.0"\n',
            0,
            "1.92.0, which {file} pins",
        ),
        ("rust-toolchain", "1.92.0\n", 0, "1.92.0, which {file} pins"),
        ("rust-toolchain", f"1.92.0-{TRIPLE}", 0, "1.92.0, which {file} pins"),
        (
            "rust-toolchain.toml",
            '[toolchain]\nchannel = "1.93.0"\n',
            1,
            "check-toolchain-pin: {file} pins Rust 1.93.0, but this host has 1.92.0: change the file, or the host's "
            "agent_policy_rust_channel\n",
        ),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.94.0"\n', 1, "agent_policy_rust_channel"),
        ("rust-toolchain.toml", '[toolchain]\npath = "/usr"\n', 1, "{file} pins Rust /usr"),
        ("rust-toolchain.toml", "[toolchain\n", 2, "{file}"),
        ("README", "", 2, "{checkout} pins no Rust"),
    ],
)
def test_check_toolchain_pin_compares_the_pin_of_a_checkout(
    installed: Host, own: Path, name: str, content: str, status: int, says: str
) -> None:
    checkout = own / "check out"
    checkout.mkdir(mode=0o755)
    (checkout / name).write_text(content)
    done = installed.tool("check-toolchain-pin", str(checkout), RUSTUP_TOOLCHAIN="1.93.0")
    assert says.format(file=checkout / name, checkout=checkout) in done.stdout + done.stderr
    assert done.returncode == status
