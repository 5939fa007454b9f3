# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The number of parallel builds, and the entries for programs, slots and checkouts."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_wrappers
from ansible_collections.nova.agent_host.plugins.module_utils.desired.agent_wrappers import Parallelism, parallelism
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import HostProblems, wanted_of
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import host, policy, wanted

BIG = memory_budget(1536 * GIB, cpus=192)


@pytest.mark.parametrize(
    ("slots", "jobs", "expected"),
    [
        ("auto", "auto", Parallelism(300, 32)),
        (1, 1, Parallelism(1, 1)),
        ("3", "5", Parallelism(3, 5)),  # as text, from -e and inventories in INI
        ("auto", "cargo", Parallelism(300, 192)),
        (2, "auto", Parallelism(2, 32)),
    ],
)
def test_variables_override_the_budget_unless_auto(slots, jobs, expected):
    assert parallelism(policy(agent_wrappers_slots=slots, agent_wrappers_jobs=jobs), BIG, 192) == expected


def test_pool_is_created_at_boot_and_never_restarted_during_builds():
    role = wanted(agent_wrappers)
    unit, check, timer = role.units
    assert [check.name, timer.name] == [
        f"nova-agent-pool-check.{kind}" for kind in ("service", "timer")
    ] and timer.active
    assert (
        unit.own
        and unit.active
        and not unit.restart
        and unit.reload_on
        == (
            "/opt/nova-agent/etc/policy.env",
            "/opt/nova-agent/libexec/memory-pool",
        )
    )
    links = {entry.path: entry.target for entry in role.entries if entry.kind == "link"}
    folder = "/etc/systemd/system"
    assert links[f"{folder}/multi-user.target.wants/{unit.name}"] == f"{folder}/{unit.name}"


def test_each_checkout_gets_both_links_with_the_rights_of_its_owner():
    entries = [
        entry for entry in wanted(agent_wrappers, agent_wrappers_checkouts=["/srv/a b"]).entries if entry.foreign
    ]
    assert [(entry.path, entry.kind, entry.target) for entry in entries] == [
        ("/srv/a b/scripts/cargo_agent.sh", "link", "/opt/nova-agent/bin/cargo_agent.sh"),
        ("/srv/a b/scripts/run_limited.sh", "link", "/opt/nova-agent/bin/run_limited.sh"),
    ]


def paths(**variables):
    return {entry.path for entry in wanted(agent_wrappers, **variables).entries}


def test_guard_and_environment_exist_only_if_configured():
    assert "/opt/nova-agent/libexec/cargo-guard" in paths()
    assert "/opt/nova-agent/libexec/cargo-guard" not in paths(agent_wrappers_guard="none")
    assert "/opt/nova-agent/etc/agent.env" not in paths()
    assert "/opt/nova-agent/etc/agent.env" in paths(agent_wrappers_nova_memory_total="4G")


def test_everything_follows_the_prefix():
    assert not [path for path in paths(agent_policy_prefix="/srv/nova") if path.startswith("/opt")]


def test_invalid_total_of_nova_is_a_problem_of_the_host():
    variables = {"agent_wrappers_nova_memory_total": "5000G"}
    with pytest.raises(HostProblems, match="agent_wrappers_nova_memory_total"):
        wanted_of(policy(**variables), host(**variables), ["agent_wrappers"])


def test_other_roles_change_only_the_guide():
    """The files of a role depend on its variables, the shared policy and the host."""

    def contexts(**variables):
        entries = wanted(agent_wrappers, **variables).entries
        return {entry.path: getattr(entry.content, "context", None) for entry in entries}

    before, after = contexts(), contexts(agent_ceiling_enabled=True, agent_hygiene_workspaces=["/home/*/nova"])
    assert {path for path in before if before[path] != after[path]} == {"/opt/nova-agent/GUIDE.md"}
