# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: the recommended number of agents of a host."""

from __future__ import annotations

from collections.abc import Callable

from .memory_budget import memory_budget

DOCUMENTATION = r"""
name: recommended_agents
short_description: Compute the recommended number of agents of a host
version_added: 0.1.0
description:
  - C(recommended_agents) of P(nova.agent_host.memory_budget#filter), with the same input, options and errors.
extends_documentation_fragment:
  - nova.agent_host.budget
  - nova.agent_host.budget.memory
  - nova.agent_host.budget.cpus
seealso:
  - plugin: nova.agent_host.memory_budget
    plugin_type: filter
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the number of agents for 1,536 GiB
  ansible.builtin.debug:
    msg: "{{ '1536G' | nova.agent_host.recommended_agents }}"

- name: Show it for agents of 8 GiB
  ansible.builtin.debug:
    msg: "{{ '1536G' | nova.agent_host.recommended_agents(per_agent='8G') }}"
"""

RETURN = r"""
_value:
  description: Number of agents, at least 1.
  type: int
  sample: 300
"""


def recommended_agents(memory: object, **options: object) -> int:
    return memory_budget(memory, **options)["recommended_agents"]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., int]]:
        return {"recommended_agents": recommended_agents}
