# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A real toolchain of this machine: mirrored with its real version, installed, and used by an account without rights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_toolchain_users import render
from trees import NOBODY, Tree

CRATE = {
    "Cargo.toml": '[package]\nname = "small"\nversion = "0.1.0"\nedition = "2021"\n',
    "src/main.rs": 'fn main() { println!("{}", double(21)) }\nfn double(n: u32) -> u32 { 2 * n }\n'
    "#[test]\nfn doubles() { assert_eq!(double(2), 4) }\n",
}


@pytest.fixture(scope="module")
def prefix(real_mirror: dict[str, Any]) -> Iterator[Path]:
    if not shutil.which("cc"):
        pytest.skip("this machine has no C linker")
    folder = Path(tempfile.mkdtemp(prefix="nova-toolchain-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        tree = Tree(folder / "toolchain", f"file://{real_mirror['path']}")
        tree.apply(real_mirror["channel"], components=["clippy", "rustfmt"])
        (folder / "shims").mkdir(mode=0o755)
        for name in ("rustup", "cargo", "rustc", "rustfmt", "rustdoc", "cargo-clippy", "clippy-driver", "cargo-fmt"):
            shim = folder / "shims" / name
            if name == "rustup":
                shim.write_text(render("shim.sh.j2", folder))
                shim.chmod(0o755)
            else:
                shim.symlink_to("rustup")
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def checkout() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nova-agent-", dir="/var/tmp"))
    for name, content in CRATE.items():
        path = folder / "small" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    yield folder / "small"
    shutil.rmtree(folder)


def cargo(prefix: Path, checkout: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    home = str(checkout.parent)
    return subprocess.run(
        [prefix / "shims/cargo", *words], cwd=checkout, user=NOBODY, group=NOBODY, extra_groups=[], umask=0o000,
        env={"PATH": f"{prefix}/shims:/usr/bin:/bin", "HOME": home, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_toolchain_reports_its_true_version(prefix: Path, real_mirror: dict[str, Any]) -> None:
    done = subprocess.run([prefix / "shims/rustc", "-V"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.stdout == f"rustc {real_mirror['version']}\n"


def test_agent_can_build_test_lint_and_format(prefix: Path, checkout: Path) -> None:
    assert cargo(prefix, checkout, "run").stdout == "42\n"
    assert "1 passed" in cargo(prefix, checkout, "test").stdout
    clippy = cargo(prefix, checkout, "clippy")
    assert clippy.returncode == 0, clippy.stderr
    assert cargo(prefix, checkout, "fmt").returncode == 0
    install = cargo(prefix, checkout, "install", "--path", ".", "--offline")
    assert install.returncode == 0, install.stderr
    assert (checkout.parent / ".cargo/bin/small").exists()  # a separate CARGO_HOME
    tree = Tree(prefix / "toolchain", "")
    assert tree.observe().problems == []


def test_cargo_starts_rustc_and_not_the_shim(prefix: Path, checkout: Path) -> None:
    """All shims have the same size. Cargo therefore treats the shim of rustc as a rustup proxy, and starts rustc directly."""
    done = cargo(prefix, checkout, "build", "-v")
    running = [line for line in done.stderr.splitlines() if "Running" in line]
    assert running
    assert f"{prefix}/.toolchain/" in running[0]


def test_running_build_survives_a_change_of_the_toolchain(prefix: Path, checkout: Path) -> None:
    """The toolchain changes while a build script waits. Then rustc starts from the old generation."""
    gate, started = checkout / "gate", checkout / "started"
    (checkout / "build.rs").write_text(
        f'fn main() {{ std::fs::write("{started}", "").unwrap(); '
        f'while !std::path::Path::new("{gate}").exists() {{ std::thread::yield_now(); }} }}\n'
    )
    tree = Tree(prefix / "toolchain", "")
    channel = json.loads(tree.observe().request)["channel"]
    environment = {"PATH": f"{prefix}/shims:/usr/bin:/bin", "HOME": str(checkout.parent)}
    with subprocess.Popen(
        [prefix / "shims/cargo", "build", "--quiet"], cwd=checkout, env=environment,
        user=NOBODY, group=NOBODY, extra_groups=[], stderr=subprocess.PIPE, text=True,
    ) as build:  # fmt: skip
        while not started.exists():
            assert build.poll() is None, build.stderr and build.stderr.read()
        old = tree.path.resolve()
        (old / "bin/cargo").unlink()  # damage, so that an apply changes the toolchain
        outcome = tree.apply(channel, components=["clippy", "rustfmt"])
        gate.touch()
        assert build.wait() == 0
    assert outcome.in_use == [str(old)]
    assert tree.path.resolve() != old
    assert (checkout / "target/debug/small").exists()
