#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin audit_record; nothing runs on the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_record
short_description: Put together what an audit found on one host
version_added: 0.1.0
description:
  - Takes what the roles' actions noted in a play whose variable C(__agent_audit) is true. Part of the playbook
    C(nova.agent_host.audit).
options:
  observed:
    description: What M(nova.agent_host.agent_host_info) returned, also where it failed.
    type: dict
    required: true
  seen:
    description: What M(nova.agent_host.audit_info) returned.
    type: dict
  policy:
    description: What beside files is wanted of the host. Needed with O(seen).
    type: dict
    suboptions:
      group:
        description: The agents' group.
        type: str
        required: true
      users:
        description: The accounts that are to be in it.
        type: list
        elements: str
        required: true
      accounts:
        description: What P(nova.agent_host.account_plan#filter) gave.
        type: dict
        required: true
      limits:
        description: Part C(kernel) of what P(nova.agent_host.login_limits#filter) gave.
        type: dict
        required: true
      ceiling:
        description: What P(nova.agent_host.ceiling_plan#filter) gave; empty where there is to be no ceiling.
        type: dict
        required: true
      audit_logs:
        description: The AI audit logs that are to be held, each with a C(path).
        type: list
        elements: dict
  failure:
    description: The result of the task that ended the comparison, in place of O(seen).
    type: dict
extends_documentation_fragment: [nova.agent_host.read_only]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Note what ended an audit
  nova.agent_host.audit_record:
    observed: {}
    failure:
      msg: something went wrong
  register: audited
"""

RETURN = r"""
record:
  description: The host's C(status) (ok, drifted, unknown or unreachable), C(why) where it was not compared to the
    end, and its C(items).
  returned: success
  type: dict
"""
