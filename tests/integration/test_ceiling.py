# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The ceiling where it can't be: a container without the memory controller. Where it can, see tests/vm."""

from __future__ import annotations

import json

import pytest

PLAY = [{"name": "Ceiling", "hosts": "agent_hosts", "become": True, "gather_facts": False, "roles": ["nova.agent_host.agent_ceiling", "nova.agent_host.agent_status"]}]  # fmt: skip


def test_a_host_without_the_controllers_is_refused_and_left_untouched(lab):
    controllers = lab.run("host1", "cat /sys/fs/cgroup/cgroup.controllers").split()
    if "memory" in controllers:
        pytest.skip("this machine gives its containers the memory controller")
    before = lab.snapshot("host1")
    played = lab.play(PLAY, agent_ceiling_enabled=True).failed()
    assert (
        "agent_ceiling_enabled needs the cgroup controllers memory and pids, and /sys/fs/cgroup/cgroup.controllers has no memory"
        in played.text
    )
    assert "or set agent_ceiling_enabled: false" in played.text
    assert lab.snapshot("host1") == before


def test_a_ceiling_that_is_off_is_nothing_on_the_host(lab):
    lab.play(PLAY).succeeded()
    manifest = json.loads(lab.run("host1", "cat /var/lib/nova-agent/manifest.json"))
    assert "agent_ceiling" not in manifest["roles"]
    assert lab.play(PLAY).succeeded().changed == {}
