# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The machine of a test module, with the ceiling enabled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from experiment import for_agents, prepare
from machine import Machine


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with Debian's release ``SUITE`` (None: the default) and the variables ``CEILING`` of the module."""
    started = Machine(request.module.__name__, request.module.SUITE)
    try:
        prepare(started, *getattr(request.module, "PLAYED", ()), **request.module.CEILING)
        yield started
    finally:
        started.down()


@pytest.fixture(scope="module")
def ceiling_mib(machine: Machine) -> int:
    """The MiB for all agents in the budget."""
    return for_agents(machine)
