# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: what stands between the accounts of a host and the policy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: account_plan
short_description: Tell which group, users and memberships are to be made
version_added: 0.1.0
description:
  - Compares the agents' accounts on a host with the policy, and adds up what this and earlier applies made.
positional: _input
options:
  _input:
    description: The RV(nova.agent_host.agent_host_info#module:accounts) that the host was found with.
    type: dict
    required: true
  group:
    description: Name of the agents' group. With V(none) everybody leaves.
    type: str
    required: true
  users:
    description: Accounts that the group is to hold.
    type: list
    elements: str
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.agent_host_info:
    users: [games]
  register: seen

- name: Show what would be made
  ansible.builtin.debug:
    msg: "{{ seen.accounts | nova.agent_host.account_plan('nova-agents', ['games']) }}"
"""

RETURN = r"""
_value:
  description: What is to be made and what was made.
  type: dict
  contains:
    pending: {description: Whether anything is to be done., type: bool}
    group: {description: Whether the group is to be made., type: bool}
    users: {description: Accounts to be made., type: list, elements: str}
    members: {description: Accounts to be put into the group., type: list, elements: str}
    leavers: {description: "Who is to leave which group again: C(name), C(group).", type: list, elements: dict}
    record: {description: "What this and earlier applies made: groups, users, members by group.", type: dict}
    settled: {description: The record once the leavers have left., type: dict}
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.policy.accounts import account_plan


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"account_plan": account_plan}
