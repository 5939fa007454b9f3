#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin policy_look; on the host, agent_host_info runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_look
short_description: Check the policy, look at the host once, and tell whether it can hold the policy and does
version_added: 0.1.0
description:
  - Checks all variables of the collection's roles that are in force for the host, before the host is contacted.
  - Then runs M(nova.agent_host.agent_host_info) on the host, and fails where the host can't take the policy.
  - Used by role C(agent_policy), and so by every role. It has no options; the variables are those of the roles.
extends_documentation_fragment: [nova.agent_host.read_only]
seealso:
  - module: nova.agent_host.agent_host_info
  - module: nova.agent_host.host_seal
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.policy_look:
  register: seen

- name: Tell whether anything is to be done
  ansible.builtin.debug:
    msg: "{{ seen.sealed | ternary('as the last apply left it', 'to be compared with the policy') }}"
"""

RETURN = r"""
looked_at:
  description: When the controller got the answer, in UTC.
  returned: success
  type: str
  sample: "2026-01-02T03:04:05Z"
parallelism:
  description:
    - Cargo commands that may compile at once (C(slots)) and the jobs of each (C(jobs)), as filter
      P(nova.agent_host.parallelism#filter) gives them from the budget and the policy's variables.
  returned: success
  type: dict
  sample: {slots: 10, jobs: 32}
policy:
  description:
    - Fingerprint of the policy, the collection and the host's size. Empty where not all roles are in the play, or where
      a template of the user's takes the place of one of the collection's.
  returned: success
  type: str
summary:
  description:
    - Lines for people - what the host holds, what on it defeats a memory limit, which ways in the limits do not reach,
      and who has sessions that were opened under others.
  returned: success
  type: str
sealed:
  description: Whether the host carries that fingerprint, and everything of the collection there is as recorded.
  returned: success
  type: bool
"""
