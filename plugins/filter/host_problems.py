# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: why a host can't take the policy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: host_problems
short_description: Tell why a host can't take the policy
version_added: 0.1.0
description:
  - Looks at the distribution, systemd, the architecture, root, and the agents' accounts, before anything is changed.
positional: _input
options:
  _input:
    description: What M(nova.agent_host.agent_host_info) returned.
    type: dict
    required: true
  variables:
    description: Variables of the collection by name.
    type: dict
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.agent_host_info:
    users: [root]
  register: seen

- name: Tell why root can't be an agent
  ansible.builtin.debug:
    msg: "{{ seen | nova.agent_host.host_problems(policy) }}"
  vars:
    policy: {agent_policy_users: [root], agent_policy_group: nova-agents}
"""

RETURN = r"""
_value:
  description: One sentence a problem; empty where there is none.
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host_problems import host_problems


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"host_problems": host_problems}
