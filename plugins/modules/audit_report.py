#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin audit_report; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: "Internal: report what an audit found on all hosts of a play, for people and for machines"
version_added: 0.1.0
description:
  - Works on the controller, for all hosts of the play at once (C(run_once)). Part of the playbook
    C(nova.agent_host.audit).
options:
  variable:
    description: The variable in which each host has the result of M(nova.agent_host.policy_compare).
    type: str
    required: true
  json:
    description: Where on the controller to write the report as JSON.
    type: path
  junit:
    description: Where on the controller to write the report as JUnit XML.
    type: path
attributes:
  check_mode:
    support: full
    description: Writes the report in check mode, too; nothing on a host changes in any mode.
  diff_mode:
    support: none
    description: Shows nothing.
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Compare
  nova.agent_host.policy_compare:
    audit: true
  register: audited

- name: Report
  nova.agent_host.audit_report:
    variable: audited
    json: audit.json
  run_once: true
"""

RETURN = r"""
msg:
  description: The table, a line each.
  returned: success
  type: list
  elements: str
problems:
  description: Why something could not be written, a line each. The task does not fail then, so that the play goes on to
    set each host's result.
  returned: success
  type: list
  elements: str
"""
