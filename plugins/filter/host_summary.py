# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: what an apply tells about a host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_summary
short_description: Tell in a few lines what a host holds, and what there defeats a memory limit
version_added: 0.1.0
description:
  - One line with the host's capacity, and one for each of swap, overcommit mode 2, agents who may start containers, and
    memory held by files in /dev/shm. These are told, and never changed.
  - Given O(limits), also which ways in they do not reach, and who has sessions that were opened under others.
positional: _input, budget, name, limits
options:
  _input:
    description: What M(nova.agent_host.agent_host_info) returned.
    type: dict
    required: true
  budget:
    description: What P(nova.agent_host.memory_budget#filter) gave for the host.
    type: dict
    required: true
  name:
    description: The host's name.
    type: str
    required: true
  limits:
    description: Part C(kernel) of what P(nova.agent_host.login_limits#filter) gave.
    type: dict
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.agent_host_info:
  register: seen

- name: Tell what it holds
  nova.agent_host.show:
    text: "{{ seen | nova.agent_host.host_summary(seen | nova.agent_host.memory_budget, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: str
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host_summary import host_summary


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"host_summary": host_summary}
