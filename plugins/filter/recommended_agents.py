# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: the number of agents that a host should get."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inputs import budget_of

DOCUMENTATION = r"""
name: recommended_agents
short_description: Compute how many agents a host should get
version_added: 0.1.0
description:
  - The count alone of what P(nova.agent_host.memory_budget#filter) computes, from the same input and options, with the
    same errors.
extends_documentation_fragment: [nova.agent_host.budget]
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
    try:
        return budget_of(memory, **options)["recommended_agents"]
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., int]]:
        return {"recommended_agents": recommended_agents}
