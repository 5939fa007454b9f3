# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: how many hosts a number of agents needs."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget import instances as instance_shapes
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inputs import count

DOCUMENTATION = r"""
name: fleet_table
short_description: Lay out how many hosts of each instance type hold a number of agents
version_added: 0.1.0
description:
  - Counts with the recommended number of agents a host, for the types that P(nova.agent_host.instance_shape#filter)
    knows.
options:
  _input:
    description: Number of agents.
    type: int
    required: true
  per_agent:
    description: Address space of one agent's command (RLIMIT_AS), as a size.
    type: str
    default: 4G
  system_reserve:
    description: Memory kept for the system and the kernel on each host, as a size, in place of the rule's.
    type: str
  headroom:
    description: Memory kept free for spikes on each host, as a size, in place of the rule's.
    type: str
  recommended_agents:
    description: Agents a host, in place of the rule's. A type that can't hold so many gets a dash.
    type: int
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show how many hosts 1000 agents need
  nova.agent_host.show:
    text: "{{ 1000 | nova.agent_host.fleet_table(per_agent='8G') }}"
"""

RETURN = r"""
_value:
  description: The table, lines separated by line breaks.
  type: str
"""


def fleet_table(agents: object, **options: object) -> str:
    try:
        return instance_shapes.fleet_table(count(agents, "agents"), **options)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"fleet_table": fleet_table}
