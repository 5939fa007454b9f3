# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Hosts made of one folder: the real templates, rendered by Ansible, around a stand-in for cargo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import Host, pools, remove_pools, render


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
    """A host with slots of its own."""
    return render(tmp_path)
