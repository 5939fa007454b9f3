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
  - Variables are checked before the host is contacted. A host that can't take the policy fails.
  - The variables of roles that are not in the play have their defaults.
options:
  roles:
    description: Names of roles, without the collection's. All roles, if not set.
    type: list
    elements: str
  tags:
    description: Of O(roles), only those that are named here, unless it has V(all). For C(ansible_run_tags).
    type: list
    elements: str
    default: [all]
  skip_tags:
    description: Of O(roles), none that is named here. For C(ansible_skip_tags).
    type: list
    elements: str
    default: []
  retire:
    description: Return what earlier applies put on the host instead; no variable is read.
    type: bool
    default: false
  audit:
    description:
      - Compare everything, also what costs processes on the host, and keep every item for a report.
      - A host that is not reached or can't be compared does not fail; its status says so.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Changes nothing in any mode.
  diff_mode:
    support: none
    description: Changes nothing.
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
  description: Whether anything is not as the policy wants it.
  returned: success, without O(audit)
  type: bool
remaining:
  description: The roles whose files and units are to be brought to the desired state after the accounts.
  returned: success, without O(audit)
  type: list
  elements: str
accounts:
  description: What has to be done with accounts - C(pending), C(group), C(users), C(members), C(leavers).
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
ceiling_blocked:
  description: Whether more memory is in use than the ceiling allows.
  returned: success, without O(audit)
  type: bool
ceiling_offered:
  description: Whether the host could have a ceiling, and has none.
  returned: success, without O(audit)
  type: bool
summary:
  description: What the host can take, and notes.
  returned: success, without O(audit)
  type: list
  elements: str
status:
  description: V(ok), V(drifted), V(unknown) or V(unreachable).
  returned: with O(audit)
  type: str
broken:
  description: Whether the host could not be compared to the end.
  returned: with O(audit)
  type: bool
record:
  description: A file on the controller that holds the items until the run ends.
  returned: with O(audit)
  type: str
"""
