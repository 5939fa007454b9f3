# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: how many builds run side by side on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: parallelism
short_description: Tell how many cargo commands compile at once on a host, and with how many jobs each
version_added: 0.1.0
description:
  - What the budget has, unless the policy's variables say otherwise.
positional: _input, cpus, slots, jobs
options:
  _input:
    description: What P(nova.agent_host.memory_budget#filter) gives for a number of CPUs.
    type: dict
    required: true
  cpus:
    description: Number of CPUs.
    type: int
    required: true
  slots:
    description: C(agent_wrappers_slots) - V(auto), or the number.
    type: str
    default: auto
  jobs:
    description: C(agent_wrappers_jobs) - V(auto), V(cargo) for one for each CPU, or the number.
    type: str
    default: auto
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show what holds where the policy has three slots
  ansible.builtin.debug:
    msg: "{{ '1536G' | nova.agent_host.memory_budget(cpus=192) | nova.agent_host.parallelism(192, slots=3) }}"
"""

RETURN = r"""
_value:
  description: The number of cargo commands (C(slots)), and of the jobs of each (C(jobs)).
  type: dict
  sample: {slots: 3, jobs: 32}
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.policy.wrappers import parallelism


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"parallelism": parallelism}
