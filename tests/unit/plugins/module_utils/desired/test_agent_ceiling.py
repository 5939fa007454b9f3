# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The size of the ceiling, whether it is in force, and every reason to refuse it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_ceiling
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import HostProblems
from ansible_collections.nova.agent_host.plugins.module_utils.desired.units import FOLDER
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Usage
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, MIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import (
    SUITABLE,
    changed,
    host,
    policy,
    wanted,
)

ON = {"agent_ceiling_enabled": True}
AVAILABLE = 1304 * GIB


def host_using(in_use=3 * GIB, memory_max=None, swap_max=None, **more):
    return changed(SUITABLE, "ceiling", users=Usage(memory_max, swap_max, in_use), **more)


def in_force(observed):
    found = {one.name: one for one in wanted(agent_ceiling, observed, **ON).conditions}
    return found["user.slice"].found


def test_disabled_ceiling_wants_nothing_and_refuses_no_host():
    old = changed(SUITABLE, "ceiling", hierarchy="legacy", controllers=[], systemd=0)
    assert wanted(agent_ceiling, old) == agent_ceiling.Wanted("agent_ceiling")


def test_ceiling_is_the_available_memory_and_reserves_a_part_for_each_administrator():
    role = wanted(agent_ceiling, SUITABLE, **ON)
    context = {entry.path: entry.content.context for entry in role.entries}
    assert context[f"{FOLDER}/user.slice.d/90-nova-agent.conf"] == {
        "memory_max": "1304G",
        "memory_min": "512M",
        "tasks_max": "75%",
    }
    assert f"{FOLDER}/user-0.slice.d/90-nova-agent.conf" in context
    assert f"{FOLDER}/user-1000.slice.d/90-nova-agent.conf" in context


def test_available_memory_is_rounded_down_to_all_page_sizes():
    assert agent_ceiling.ceiling_size(588 * MIB + 1023) == 588 * MIB


@pytest.mark.parametrize(
    ("memory_max", "swap_max", "expected"),
    [
        (AVAILABLE, 0, True),
        (AVAILABLE, None, True),  # a kernel without swap has no such file
        (AVAILABLE, GIB, False),
        (AVAILABLE + 4096, 0, False),
        (None, 0, False),
    ],
)
def test_condition_compares_the_ceiling_with_the_value_of_the_kernel(memory_max, swap_max, expected):
    assert in_force(host_using(memory_max=memory_max, swap_max=swap_max)) is expected


def test_ceiling_not_in_force_needs_a_reload():
    (condition,) = wanted(agent_ceiling, SUITABLE, **ON).conditions[:1]
    assert condition.reload and not condition.restart


def test_host_with_unknown_memory_in_use_is_not_refused():
    observed = changed(SUITABLE, "ceiling", users=None)
    assert in_force(observed) is False
    assert not agent_ceiling.blocked(policy(**ON), host(observed, **ON))
    assert not agent_ceiling.blocked(policy(), host(host_using(in_use=9999 * GIB)))  # without a ceiling


def test_scheduler_outside_the_ceiling_is_restarted():
    conditions = wanted(agent_ceiling, SUITABLE, **ON, agent_ceiling_schedulers=["cron", "atd"]).conditions
    assert [(one.name, one.restart) for one in conditions if one.found != one.expected and one.restart] == [
        ("cron.service", "cron.service")
    ]


def test_sessions_are_killed_as_a_whole_only_if_configured():
    def paths(**variables):
        return [entry.path for entry in wanted(agent_ceiling, SUITABLE, **ON, **variables).entries]

    extra = set(paths(agent_ceiling_kill="session")) - set(paths())
    assert extra == {f"{FOLDER}/session-.scope.d/90-nova-agent.conf"}


@pytest.mark.parametrize(
    ("observed", "variables", "parts"),
    [
        (
            changed(SUITABLE, "ceiling", hierarchy="hybrid"), {},
            ("agent_ceiling_enabled", "hybrid", "systemd.unified_cgroup_hierarchy=1"),
        ),
        (
            changed(SUITABLE, "ceiling", controllers=["cpu", "pids"]), {},
            ("agent_ceiling_enabled", "no memory", "cgroup_disable="),
        ),
        (host_using(in_use=AVAILABLE + GIB), {}, ("1,305 GiB", "1,304 GiB", "agent_ceiling_wait")),
        (
            changed(SUITABLE, "ceiling", systemd=249), {"agent_ceiling_kill": "session"},
            ("agent_ceiling_kill", "session", "253", "249"),
        ),
        (
            SUITABLE, {"agent_ceiling_administrator_memory": "200G"},
            ("agent_ceiling_administrator_memory", "200G", "root, ubuntu", f"{163 * 1024}M"),
        ),
    ],
)  # fmt: skip
def test_unsuitable_host_has_a_problem_with_the_reason(observed, variables, parts):
    with pytest.raises(HostProblems) as error:
        host(observed, **ON, **variables)
    assert "\n" not in str(error.value)
    assert [part for part in parts if part not in str(error.value)] == []


@pytest.mark.parametrize(
    ("observed", "variables"),
    [
        (SUITABLE, {}),
        (SUITABLE, {"agent_ceiling_kill": "session"}),
        (host_using(in_use=AVAILABLE + GIB), {"agent_ceiling_wait": 5}),
        (host_using(in_use=AVAILABLE), {}),
        (SUITABLE, {"agent_ceiling_administrator_memory": "163G"}),
        (replace(SUITABLE, ceiling=replace(SUITABLE.ceiling, systemd=249)), {}),
    ],
)
def test_suitable_host_has_no_problem(observed, variables):
    assert host(observed, **ON, **variables)


@pytest.mark.parametrize(
    ("observed", "given", "offered"),
    [
        (SUITABLE, {}, True),
        (SUITABLE, ON, False),
        (changed(SUITABLE, "ceiling", hierarchy="hybrid"), {}, False),
        (changed(SUITABLE, "ceiling", controllers=["cpu", "pids"]), {}, False),
    ],
)
def test_ceiling_is_offered_if_a_suitable_host_has_none(observed, given, offered):
    assert agent_ceiling.offered(policy(**given), host(observed, **given)) is offered


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/etc/systemd/system.control/user.slice.d/50-MemoryMax.conf", "`systemctl revert user.slice`"),
        ("/etc/systemd/system/user.slice.d/99-local.conf", "give it a name before 90-nova-agent.conf"),
    ],
)
def test_foreign_file_that_overrides_the_ceiling_is_named_without_a_reload(path, advice):
    observed = changed(host_using(memory_max=GIB, swap_max=0), "fences", overrides={"user.slice": [path]})
    found = {one.name: one for one in wanted(agent_ceiling, observed, **ON).conditions}["user.slice"]
    assert found.found is False and found.reload is False
    assert path in found.why and advice in found.why
