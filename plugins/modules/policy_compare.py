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
  description: Whether anything drifted or could not be checked.
  returned: success, without O(audit)
  type: bool
remaining:
  description: The roles whose files and units are to be brought to the desired state after the accounts.
  returned: success, without O(audit)
  type: list
  elements: str
accounts:
  description: Changes of accounts that are needed - C(pending), C(group), C(users), C(members), C(leavers).
  returned: success, without O(audit)
  type: dict
packages:
  description: Packages that are missing.
  returned: success, without O(audit)
  type: list
  elements: str
roles:
  description: The roles that were selected; with O(retire), those of the manifest.
  returned: success, without O(audit)
  type: list
  elements: str
toolchain:
  description: Options of M(nova.agent_host.rustup_toolchain) if the toolchain differs, else empty.
  returned: success, without O(audit)
  type: dict
audit_logs:
  description: Whether an AI audit log differs.
  returned: success, without O(audit)
  type: bool
seeds:
  description: Folders of seeds that are no longer wanted; with O(retire), all of them.
  returned: success, without O(audit)
  type: list
  elements: str
accounts_of_seeds:
  description: With O(retire), the folders of the accounts that built seeds.
  returned: success, with O(retire)
  type: list
  elements: str
ceiling_blocked:
  description: Whether more memory is in use than the ceiling allows.
  returned: success, without O(audit)
  type: bool
ceiling_offered:
  description: Whether the host could have a ceiling but has none.
  returned: success, without O(audit)
  type: bool
summary:
  description: The number of agents that fit on the host, and notes.
  returned: success, without O(audit)
  type: list
  elements: str
status:
  description: V(ok), V(drifted), V(unknown) or V(unreachable).
  returned: with O(audit)
  type: str
broken:
  description: Whether the host could not be compared completely.
  returned: with O(audit)
  type: bool
record:
  description: A file on the controller with the items. It is removed when the run ends.
  returned: with O(audit)
  type: str
"""
