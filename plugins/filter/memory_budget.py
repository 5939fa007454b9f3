# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: the budget of a host."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ..module_utils.budget.arithmetic import Budget, compute_budget
from ..module_utils.budget.host import host_size
from ..module_utils.budget.policy import BudgetPolicy

DOCUMENTATION = r"""
name: memory_budget
short_description: Compute how many agents a host can hold
version_added: 0.1.0
description:
  - Subtracts a reserve for the system and a headroom for spikes from the memory of the host, and divides the rest by
    the memory of one agent. For 1,536 GiB that is 32, 200 and 1,304 GiB, at most 326 agents, 300 recommended.
  - It is an error if not even one agent fits. The message has the calculation and names what to change.
  - All wrapped commands together hold at most RV(_value.available), whatever their number and jobs. For other
    processes, only the ceiling (role C(agent_ceiling)) is a common limit.
extends_documentation_fragment:
  - nova.agent_host.budget
  - nova.agent_host.budget.memory
  - nova.agent_host.budget.cpus
seealso:
  - plugin: nova.agent_host.recommended_agents
    plugin_type: filter
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show what a host with 1,536 GiB and 192 CPUs can hold
  ansible.builtin.debug:
    msg: "{{ '1536G' | nova.agent_host.memory_budget(cpus=192) }}"

- name: Show each step of the calculation
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
    total: {description: Memory that the host reports (MemTotal)., type: int}
    usable:
      description: Memory that processes can get, without reserved huge pages and within the limit of a container.
      type: int
    system_reserve: {description: Memory kept for the system and the kernel., type: int}
    headroom: {description: Memory kept free for spikes., type: int}
    available: {description: Memory for all agents together - usable minus system_reserve and headroom., type: int}
    per_agent: {description: Address space that a wrapped command may use (RLIMIT_AS)., type: int}
    max_agents: {description: "Number of agents that fit if each uses all of per_agent, at least 1.", type: int}
    recommended_agents: {description: "Recommended number of agents, from 1 to max_agents.", type: int}
    jobs: {description: Parallel jobs of one cargo command. Null if the number of CPUs is not known., type: int}
    slots:
      description: Cargo commands that may compile at once on the host. Null if the number of CPUs is not known.
      type: int
    limited_by: {description: "What limits usable - V(memtotal), or V(cgroup) for the limit of a container.", type: str}
    explanation: {description: Each step of the calculation as one line., type: list, elements: str}
  sample: {
    total: 1649267441664, usable: 1649267441664, system_reserve: 34359738368, headroom: 214748364800,
    available: 1400159338496, per_agent: 4294967296, max_agents: 326, recommended_agents: 300, jobs: 32, slots: 300,
    limited_by: memtotal,
  }
"""


def memory_budget(memory: object, *, cpus: object = None, **policy: object) -> Budget:
    try:
        return compute_budget(BudgetPolicy.parse(**policy), host_size(memory, cpus))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Budget]]:
        return {"memory_budget": memory_budget}
