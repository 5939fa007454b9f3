# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The ceiling is refused on a host without the memory controller. tests/vm tests the ceiling itself."""

from __future__ import annotations

import pytest

ROLES = ("agent_ceiling", "agent_status")


def test_host_without_memory_controller_is_refused_unchanged(lab):
    controllers = lab.run("host1", "cat /sys/fs/cgroup/cgroup.controllers").split()
    if "memory" in controllers:
        pytest.skip("this machine gives its containers the memory controller")
    before = lab.snapshot("host1")
    played = lab.roles(*ROLES, agent_ceiling_enabled=True).failed()
    assert (
        "agent_ceiling_enabled needs the cgroup controllers memory and pids, but /sys/fs/cgroup/cgroup.controllers has no memory"
        in played.messages
    )
    assert "or set agent_ceiling_enabled: false" in played.messages
    assert lab.snapshot("host1") == before


def test_disabled_ceiling_leaves_no_files_on_the_host(lab):
    lab.roles(*ROLES).succeeded()
    assert "agent_ceiling" not in lab.manifest("host1")["roles"]
    assert lab.roles(*ROLES).succeeded().changed == {}
