# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""One host with one seed for the tests of a file, and a checkout for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import Warm


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """One host with one seed. A test that changes the seed builds it again. Not below /tmp, where all accounts may write."""
    root = Path(tempfile.mkdtemp(prefix="nova-agent-warm-", dir="/srv"))
    root.chmod(0o755)
    host = Warm(root)
    host.publish()
    yield host
    shutil.rmtree(root)


@pytest.fixture
def checkout(warm: Warm, request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = warm.checkout(f"checkout-{request.node.name}".replace("[", "-").rstrip("]"))
    yield folder
    shutil.rmtree(folder)
