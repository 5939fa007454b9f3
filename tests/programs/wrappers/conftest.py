# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Hosts in a folder: the real templates, rendered by Ansible, with a STAND-IN for cargo."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .bench import Bench, bench, pool
from .host import GUARD, Host, pools, remove_pools, render


@pytest.fixture(scope="session")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """One host for tests that leave nothing behind. Its path would be an injection if anything evaluated it."""
    return render(tmp_path_factory.mktemp("a b$(touch injected)'"))


@pytest.fixture(autouse=True)
def no_pool_is_left(shared_host: Host) -> Iterator[None]:
    kept = len(pools)
    yield
    remove_pools(kept)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with its own slots."""
    return render(tmp_path)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Bench]:
    """A host with memory for one process."""
    with bench(pool(tmp_path, 4)) as made:
        yield made


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Bench]:
    """A host with memory for four processes."""
    with bench(pool(tmp_path, 16)) as made:
        yield made


@pytest.fixture
def shared() -> Iterator[Bench]:
    """A host with memory for one process, for several users."""
    with tempfile.TemporaryDirectory(prefix="gate-") as folder:
        os.chmod(folder, 0o777)
        host = pool(Path(folder), 4)
        host.checkout.chmod(0o777)
        # The accounts have no common group, so all accounts may write.
        subprocess.run(["perl", "-e", CHMOD, str(host.set)], check=True, timeout=GUARD)
        with bench(host) as made:
            yield made


# IPC_STAT, the mode of struct semid64_ds, IPC_SET.
CHMOD = (
    'my $s = ""; semctl $ARGV[0], 0, 2, $s or die; substr($s, 20, 4) = pack "L", 0666; semctl $ARGV[0], 0, 1, $s or die'
)
