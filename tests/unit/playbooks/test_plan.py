# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The playbook plan."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook


def plan(*extra_vars: str, inventory: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = [word for extra in extra_vars for word in ("-e", extra)]
    arguments += ["-i", str(inventory)] if inventory else []
    return ansible_playbook("nova.agent_host.plan", *arguments, environment=environment)


def lines(run: subprocess.CompletedProcess[str]) -> list[str]:
    """What the callback printed, without JSON's quotes and the columns' spaces."""
    return [" ".join(line.strip(' ",').split()) for line in run.stdout.splitlines()]


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """Two groups of hosts. One host does not suit its policy."""
    large = {"instance_type": "r7i.48xlarge"}
    agents = {"a": large, "b": {"instance_type": "m7i.48xlarge", "agent_policy_memory_per_agent": "8G"}}
    groups = {
        "agent_hosts": {"hosts": agents},
        "wrong": {"hosts": {"a": large, "c": {**large, "agent_policy_recommended_agents": 500}}},
        "web": {"hosts": {"w": {}}},
    }
    path = tmp_path / "hosts.json"
    path.write_text(json.dumps({"all": {"children": groups}}))
    return path


def test_plan_of_a_group_uses_the_policy_of_each_host(inventory: Path) -> None:
    run = plan("group=agent_hosts", inventory=inventory)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 hosts 2,267.1 GiB 368" in lines(run)


def test_host_without_a_plan_is_reported_and_ends_with_status_2(inventory: Path) -> None:
    run = plan("group=wrong", inventory=inventory)
    assert run.returncode == 2
    assert "a r7i.48xlarge 1,511.4 GiB 4 GiB none 295" in lines(run)
    assert "c r7i.48xlarge 1,511.4 GiB - - -" in lines(run)
    assert (
        "c: recommended_agents (agent_policy_recommended_agents) is 500, but 1,283.1 GiB hold 320 agents of 4 GiB; "
        "set it from 1 to 320, or lower per_agent (agent_policy_memory_per_agent)"
    ) in lines(run)
    assert "hosts that can't be planned: 1" in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("nosuch", "groups with hosts are agent_hosts, web, wrong"),
        ("web", "instance_type is not set for w:"),
    ],
)  # fmt: skip
def test_groups_without_a_plan_are_refused(inventory: Path, group: str, message: str) -> None:
    run = plan(f"group={group}", inventory=inventory)
    assert run.returncode == 2
    assert message in run.stdout + run.stderr


def test_plan_accepts_several_questions_at_once() -> None:
    run = plan("memory=1536G", "cpus=192", "instance_type=r7i.48xlarge", "agents=1000")
    assert run.returncode == 0, run.stdout + run.stderr
    for nominal in (
        "Available 1,304.0 GiB",
        "Maximum 326 agents",
        "Recommended 300 agents",
    ):
        assert nominal in lines(run)
    for assumed in (
        "Total (MemTotal) 1,511.4 GiB",
        "Maximum 320 agents",
        "Recommended 295 agents",
    ):
        assert assumed in lines(run)
    assert "r7i.48xlarge 192 1,536 GiB 1,511.4 GiB 295 4" in lines(run)


def test_plan_uses_the_variables_of_the_policy() -> None:
    run = plan("memory=1536G", "agent_policy_memory_per_agent=8G", "agent_policy_headroom=100G")
    assert "Maximum 175 agents" in lines(run)


def test_plan_uses_the_configured_number_of_recommended_agents() -> None:
    run = plan("memory=1536G", "agents=1000", "agent_policy_recommended_agents=100")
    assert "Recommended 100 agents" in lines(run)
    assert "r7i.48xlarge 192 1,536 GiB 1,511.4 GiB 100 10" in lines(run)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            "nothing=1",
            "nothing to plan: give -e memory=1536G, -e instance_type=r7i.48xlarge, -e agents=1000 or -e group=agent_hosts",
        ),
        ("memory=1536", "memory is 1536, a number without a unit: 1536 bytes or 1536 MiB (1536M)?"),
        ("agents=lots", "agents is 'lots'; it must be a whole number from 1 to"),
        ("memory=64G agent_policy_memory_per_agent=", "agent_policy_memory_per_agent"),
    ],
)
def test_questions_without_an_answer_are_refused(question: str, message: str) -> None:
    run = plan(question)
    assert run.returncode == 2
    assert message in run.stdout + run.stderr
    # Once as the error and once in the task's result, as ansible-core prints each failure.
    assert (run.stdout + run.stderr).count(message) <= 2
    assert "caused by" not in run.stdout + run.stderr


@pytest.mark.skipif(
    importlib.util.find_spec("ansible_collections.amazon") is not None, reason="amazon.aws is installed"
)
def test_unknown_type_without_amazon_aws_is_refused() -> None:
    run = plan("instance_type=x9.huge")
    assert run.returncode == 2
    assert "instance_type is 'x9.huge', which is not known; known are c7i.24xlarge" in run.stdout + run.stderr
