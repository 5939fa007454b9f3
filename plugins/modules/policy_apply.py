#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin policy_apply; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_apply
short_description: "Internal: bring the files and units of roles on a host to the desired state"
version_added: 0.1.0
description:
  - Compares as M(nova.agent_host.policy_compare) does, then makes one call of M(nova.agent_host.host_state) if files
    or units differ.
  - Other tasks change accounts, packages, the toolchain and AI audit logs.
options:
  roles:
    description: Names of roles, without the collection's. All roles, if not set.
    type: list
    elements: str
  state:
    description: With V(absent), everything that the host's manifest has for the roles is removed.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Reports what would be changed.
  diff_mode:
    support: full
    description: Shows every changed path.
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Bring the limits of agents' logins to the desired state
  nova.agent_host.policy_apply:
    roles: [agent_policy, agent_limits]
"""

RETURN = r"""#"""
