# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""How high the ceiling is, whether it holds, and every reason why a host can't have it."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.policy.ceiling import ceiling_plan, ceiling_problems

MIB = 1 << 20
GIB = 1 << 30
HOST = {
    "systemd": 255,
    "hierarchy": "unified",
    "controllers": ["cpu", "memory", "pids"],
    "users": {"memory_max": None, "swap_max": None, "in_use": 3 * GIB},
    "services": ["cron.service", "ssh.service"],
    "administrators": {"root": 0, "ubuntu": 1000},
}
DEFAULTS = {"agent_ceiling_administrator_memory": "256M", "agent_ceiling_kill": "process", "agent_ceiling_wait": 0}


def users(**changes):
    return {**HOST, "users": {**HOST["users"], **changes}}


def test_a_host_without_the_ceiling():
    assert ceiling_plan(HOST, 1304 * GIB, "256M", ["cron", "atd"]) == {
        "memory_max": "1304G",
        "slices": ["user-0.slice", "user-1000.slice"],
        "memory_min": "512M",
        "holds": False,
        "blocked": False,
        "outside": ["cron"],
    }


def test_available_memory_is_rounded_down_to_what_every_page_size_can_keep():
    assert ceiling_plan(HOST, 588 * MIB + 1023, "64M", [])["memory_max"] == "588M"


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        ({"memory_max": GIB, "swap_max": 0}, True),
        ({"memory_max": GIB, "swap_max": None}, True),  # a kernel without swap has no such file
        ({"memory_max": GIB, "swap_max": GIB}, False),
        ({"memory_max": GIB + 4096, "swap_max": 0}, False),
        ({"memory_max": None, "swap_max": 0}, False),
    ],
)
def test_whether_it_holds_is_what_the_kernel_has(found, holds):
    assert ceiling_plan(users(**found), GIB, "64M", [])["holds"] is holds


def test_a_host_that_does_not_tell_what_is_in_use_is_not_blocked():
    plan = ceiling_plan({**HOST, "users": None}, GIB, "64M", [])
    assert (plan["holds"], plan["blocked"]) == (False, False)


@pytest.mark.parametrize(
    ("host", "variables", "available", "message"),
    [
        (
            {**HOST, "hierarchy": "hybrid"}, {}, 64 * GIB,
            "agent_ceiling_enabled needs cgroup v2 alone, and this host's tree is hybrid (/sys/fs/cgroup): boot it with "
            "systemd.unified_cgroup_hierarchy=1 on the kernel's command line, or set agent_ceiling_enabled: false",
        ),
        (
            {**HOST, "controllers": ["cpu", "pids"]}, {}, 64 * GIB,
            "agent_ceiling_enabled needs the cgroup controllers memory and pids, and /sys/fs/cgroup/cgroup.controllers has no memory: take "
            "cgroup_disable= and cgroup_no_v1= off the kernel's command line, in a container let its host delegate them, or set "
            "agent_ceiling_enabled: false",
        ),
        (
            HOST, {}, 2 * GIB,
            "all users together have 3 GiB in use, above the ceiling of 2 GiB, so processes would be killed at once: end some, or let the "
            "play wait for it with agent_ceiling_wait",
        ),
        (
            {**HOST, "systemd": 249}, {"agent_ceiling_kill": "session"}, 64 * GIB,
            "agent_ceiling_kill is session, which needs systemd 253 or newer, and the host has 249: set it to process",
        ),
        (
            users(in_use=0), {}, GIB,
            "agent_ceiling_administrator_memory is 256M for each of root, ubuntu, together more than a quarter of the ceiling of 1 GiB: lower "
            "it to at most 128M",
        ),
    ],
)  # fmt: skip
def test_a_host_that_can_not_have_it_is_told_why(host, variables, available, message):
    assert ceiling_problems(host, available, {**DEFAULTS, **variables}) == [message]


@pytest.mark.parametrize(
    ("host", "variables", "available"),
    [
        (HOST, {}, 64 * GIB),
        (HOST, {"agent_ceiling_kill": "session"}, 64 * GIB),
        (HOST, {"agent_ceiling_wait": 5}, 2 * GIB),
        (users(in_use=GIB), {"agent_ceiling_administrator_memory": "128M"}, GIB),
    ],
)
def test_a_host_that_can_have_it_has_no_problem(host, variables, available):
    assert ceiling_problems(host, available, {**DEFAULTS, **variables}) == []
