# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The filters return the documented keys, and the documented examples run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.nova.agent_host.plugins.doc_fragments.budget import ModuleDocFragment
from ansible_collections.nova.agent_host.plugins.filter import (
    memory_budget,
    nova_memory_split,
    recommended_agents,
)
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.nova import NovaMemory
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import DEFAULT_PER_AGENT, VARIABLES
from ansible_collections.nova.agent_host.plugins.module_utils.host.memory import HostMemory
from ansible_collections.nova.agent_host.plugins.modules import agent_host_info
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook

FILTERS = (
    memory_budget,
    recommended_agents,
    nova_memory_split,
)


def returned(plugin: Any, key: str = "_value") -> Any:
    return yaml.safe_load(plugin.RETURN)[key]


def assert_same_keys(contains: Mapping[str, Any], schema: type) -> None:
    assert list(contains) == list(schema.__annotations__)


def test_documentation_of_memory_budget_lists_all_keys() -> None:
    value = returned(memory_budget)
    assert_same_keys(value["contains"], Budget)
    computed = memory_budget.memory_budget("1536G", cpus=192)
    assert list(computed) == list(Budget.__annotations__)
    assert value["sample"] == {key: size for key, size in computed.items() if key != "explanation"}
    kinds = {"int": int, "str": str, "list": list}
    for key, documented in value["contains"].items():
        assert isinstance(computed[key], kinds[documented["type"]]), key  # type: ignore[literal-required]


def test_documentation_of_nova_memory_split_lists_all_keys() -> None:
    value = returned(nova_memory_split)
    assert_same_keys(value["contains"], NovaMemory)
    assert value["sample"] == nova_memory_split.nova_memory_split("1536G", address_space="4G")


def test_default_memory_of_an_agent_is_the_same_everywhere() -> None:
    (spec,) = Path(__file__).parents[4].glob("roles/agent_policy/meta/argument_specs.yml")
    options = yaml.safe_load(spec.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert documented["per_agent"]["default"] == options[VARIABLES["per_agent"]]["default"] == DEFAULT_PER_AGENT
    assert set(documented) == set(VARIABLES) and set(VARIABLES.values()) <= set(options)


def test_documentation_of_agent_host_info_lists_the_memory_keys() -> None:
    assert_same_keys(returned(agent_host_info, "memory")["contains"], HostMemory)


def test_examples_run(tmp_path: Path) -> None:
    """Run all examples on a host with known facts."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_facts": {"memtotal_mb": 65536, "processor_nproc": 8}},
        "tasks": [task for plugin in FILTERS for task in yaml.safe_load(plugin.EXAMPLES)],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    run = ansible_playbook("play.yml", cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
