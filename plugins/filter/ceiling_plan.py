# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: the ceiling that a host is to hold."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ceiling_plan
short_description: Compute the ceiling on all agents of a host
version_added: 0.1.0
description:
  - How much all sessions together may take, what is kept for administrators, and whether the host has it so now.
positional: _input, available, administrator_memory, services
options:
  _input:
    description: Part C(ceiling) of what M(nova.agent_host.agent_host_info) returned.
    type: dict
    required: true
  available:
    description: Bytes, as P(nova.agent_host.memory_budget#filter) gives them.
    type: int
    required: true
  administrator_memory:
    description: What is kept for each administrator, such as V(256M).
    type: str
    required: true
  services:
    description: Services that must run below the ceiling, without C(.service).
    type: list
    elements: str
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.agent_host_info:
  register: seen

- name: Show its ceiling
  ansible.builtin.debug:
    msg: "{{ seen.ceiling | nova.agent_host.ceiling_plan(seen.budget.available, '256M', ['cron', 'atd']) }}"
"""

RETURN = r"""
_value:
  description:
    - Sizes C(memory_max) and C(memory_min), the administrators' C(slices), whether it C(holds) now or is C(blocked) by
      what is in use, and the services that run C(outside).
  type: dict
  sample: {memory_max: 1304G, memory_min: 512M, slices: [user-0.slice], holds: true, blocked: false, outside: []}
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.policy import ceiling as ceiling_plan


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ceiling_plan": ceiling_plan.ceiling_plan}
