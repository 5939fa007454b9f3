#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin audit_verdict; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_verdict
short_description: "Internal: set the result of a host (ok, failed, unreachable) from its audit"
version_added: 0.1.0
description:
  - Works on the controller. Part of the playbook C(nova.agent_host.audit), whose exit status comes from it.
options:
  record:
    description: The value with the same name in the result of M(nova.agent_host.policy_compare).
    type: path
    required: true
extends_documentation_fragment: [nova.agent_host.read_only]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Compare
  nova.agent_host.policy_compare:
    audit: true
  register: audited

- name: Fail if the host differs
  nova.agent_host.audit_verdict:
    record: "{{ audited.record }}"
"""

RETURN = r"""#"""
