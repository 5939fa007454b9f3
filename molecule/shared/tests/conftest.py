# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests. testinfra's `host` works as root (verifier option sudo)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.backend.base import CommandResult
from testinfra.host import Host


@pytest.fixture
def agent(host: Host) -> Callable[[str], CommandResult]:
    """Run a shell command in a new login of an agent."""
    return lambda command: host.run("su - agent1 -c %s", command)


@pytest.fixture
def manifest(host: Host) -> dict[str, Any]:
    """The manifest of the collection."""
    content: dict[str, Any] = json.loads(host.check_output("cat /var/lib/nova-agent/manifest.json"))
    return content
