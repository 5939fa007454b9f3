#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin audit_verdict; nothing runs on the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_verdict
short_description: Fail, or end as unreachable, where an audit found a host so
version_added: 0.1.0
description:
  - Works on the controller. Part of the playbook C(nova.agent_host.audit), whose exit status comes from it.
options:
  record:
    description: What M(nova.agent_host.audit_record) returned under that name.
    type: dict
    required: true
extends_documentation_fragment: [nova.agent_host.read_only]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Go on, for all was as it should be
  nova.agent_host.audit_verdict:
    record: {host: example, status: ok, items: []}
"""

RETURN = r"""#"""
