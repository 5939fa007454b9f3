# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: the budget of a host."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inputs import budget_of

DOCUMENTATION = r"""
name: memory_budget
short_description: Compute how many agents a host can hold, and every step of the sum
version_added: 0.1.0
description:
  - Takes a host's memory, keeps back a part for the system and a part for spikes, and divides the rest by what one
    agent may take. For 1,536 GiB that is 32, 200 and 1,304 GiB, 326 agents at most and 300 recommended.
  - A host on which not even one agent fits is an error that has the sum and names what to change, never 0.
  - What wrapped commands hold together is never more than RV(_value.available), whatever their number and jobs. Only a
    memory limit on all agents together bounds what is not wrapped.
extends_documentation_fragment: [nova.agent_host.budget]
seealso:
  - plugin: nova.agent_host.recommended_agents
    plugin_type: filter
  - plugin: nova.agent_host.budget_table
    plugin_type: filter
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show what a host with 1,536 GiB and 192 CPUs can hold
  ansible.builtin.debug:
    msg: "{{ '1536G' | nova.agent_host.memory_budget(cpus=192) }}"

- name: Show why, step by step
  ansible.builtin.debug:
    msg: "{{ ('1536G' | nova.agent_host.memory_budget(per_agent='8G', headroom='100G')).explanation }}"

- name: Use the host's facts
  ansible.builtin.debug:
    msg: "{{ ansible_facts | nova.agent_host.memory_budget(per_agent='512M') }}"
"""

RETURN = r"""
_value:
  description: The budget. Sizes are bytes.
  type: dict
  contains:
    total:
      description: Memory that the host reports (MemTotal).
      type: int
    usable:
      description: What processes can get of it, without reserved huge pages and within a container's limit.
      type: int
    system_reserve:
      description: Kept for the system and the kernel.
      type: int
    headroom:
      description: Kept free for spikes.
      type: int
    available:
      description: For all agents together - usable less system_reserve and headroom.
      type: int
    per_agent:
      description: Address space that a wrapped command may take (RLIMIT_AS).
      type: int
    max_agents:
      description: Agents that fit if each takes all of per_agent, at least 1.
      type: int
    recommended_agents:
      description: Agents that are advised, from 1 to max_agents.
      type: int
    jobs:
      description: Parallel jobs of one cargo command, null without a number of CPUs.
      type: int
    slots:
      description: Cargo commands that may compile at once on the host, null without a number of CPUs.
      type: int
    limited_by:
      description: What bounds usable - V(memtotal), or V(cgroup) for a container's limit.
      type: str
    explanation:
      description: Each step of the sum as one line, in order.
      type: list
      elements: str
  sample:
    total: 1649267441664
    usable: 1649267441664
    system_reserve: 34359738368
    headroom: 214748364800
    available: 1400159338496
    per_agent: 4294967296
    max_agents: 326
    recommended_agents: 300
    jobs: 32
    slots: 300
    limited_by: memtotal
"""


def memory_budget(memory: object, **options: object) -> Budget:
    try:
        return budget_of(memory, **options)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Budget]]:
        return {"memory_budget": memory_budget}
