# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A crate that comes from a git repository: the service publishes it, and agents need no access to the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from wrappers.test_real_cargo import REAL

from .host import ACCOUNT, Warm, compiled, write
from .test_registry import build
from .workspace import PACKAGE

pytestmark = [
    pytest.mark.skipif(REAL is None, reason="this machine has no rustc with a C linker"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as publishing does"),
]


def test_crate_of_git_is_published_and_needs_no_repository() -> None:
    root = Path(tempfile.mkdtemp(prefix="nova-agent-warm-", dir="/srv"))
    root.chmod(0o755)
    try:
        warm, repository = Warm(root), root / "fix-git"
        write(repository, {"Cargo.toml": PACKAGE.format("fix-git", "1.0.0"), "src/lib.rs": ""})
        git = ["git", "-C", str(repository), "-c", "user.name=FIXTURE", "-c", "user.email=fixture@example.invalid"]
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "FIXTURE"]):
            subprocess.run([*git, *words], check=True)
        with (warm.source / "nova-core/Cargo.toml").open("a") as manifest:
            manifest.write(f'fix-git = {{ git = "file://{repository}" }}\n')
        lock = [f"{REAL}/bin/cargo", "generate-lockfile", "--quiet"]
        subprocess.run(lock, cwd=warm.source, env={**os.environ, "CARGO_HOME": str(root / "cargo")}, check=True)

        assert "4 of 4 dependencies" in warm.publish()
        assert warm.step("verify").returncode == 0
        shutil.move(repository, root / "gone")
        for account in (ACCOUNT, ACCOUNT + 1):
            home, checkout = root / f"home{account}", root / f"checkout{account}"
            home.mkdir()
            shutil.copytree(warm.source, checkout)
            result = build(warm, checkout, home, account=account)
            assert compiled(result) == {"nova-core"} and "4 of 4 dependencies" in result.err
            assert compiled(build(warm, checkout, home, account=account)) == set()
    finally:
        shutil.rmtree(root)
