#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin policy_compare; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_compare
short_description: "Internal: compare a host with the policy of roles, and change nothing"
version_added: 0.1.0
description:
  - Checks the variables of all roles, looks at the host with M(nova.agent_host.agent_host_info), and compares.
  - Variables are checked before the host is contacted. If the policy does not fit the host, the task fails.
  - Variables of roles that are not in the play have their defaults.
options:
  roles:
    description: Names of roles, without the collection's. All roles, if not set.
    type: list
    elements: str
  tags:
    description: Select only these of O(roles), unless the list has V(all). For C(ansible_run_tags).
    type: list
    elements: str
    default: [all]
  skip_tags:
    description: Do not select these of O(roles). For C(ansible_skip_tags).
    type: list
    elements: str
    default: []
  retire:
    description: Return what earlier applies wrote on the host instead. No variable is read.
    type: bool
    default: false
  audit:
    description:
      - Compare everything, also facts that need extra processes on the host, and store all items for a report.
      - If the host is not reached or can't be compared, the task does not fail; RV(status) says so.
    type: bool
    default: false
extends_documentation_fragment: [nova.agent_host.read_only]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Compare the host with the limits of agents' logins
  nova.agent_host.policy_compare:
    roles: [agent_policy, agent_limits]
  register: compared

- name: Report drift
  ansible.builtin.debug:
    msg: the host differs from the policy
  when: compared.differs
"""

RETURN = r"""
differs:
  description: Whether anything drifted or could not be checked. The playbooks use the other values.
  returned: success, without O(audit)
  type: bool
status:
  description: V(ok), V(drifted), V(unknown) or V(unreachable).
  returned: with O(audit)
  type: str
"""
