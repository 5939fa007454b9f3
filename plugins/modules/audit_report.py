#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin audit_report; nothing runs on the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: Print what an audit found on all hosts of a play, and write it for machines
version_added: 0.1.0
description:
  - Works on the controller, for all hosts of the play at once (C(run_once)). Part of the playbook
    C(nova.agent_host.audit).
options:
  variable:
    description: The variable in which each host has the result of M(nova.agent_host.audit_record).
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
- name: Note what ended an audit
  nova.agent_host.audit_record:
    observed: {}
    failure:
      msg: something went wrong
  register: audited

- name: Print it
  nova.agent_host.audit_report:
    variable: audited
  run_once: true
"""

RETURN = r"""
status:
  description: The worst status of any host.
  returned: success
  type: str
problems:
  description: Why something could not be written, a line each. The task does not fail then, so that the play can go on
    to how the hosts are.
  returned: success
  type: list
  elements: str
totals:
  description: How many hosts and items have which status.
  returned: success
  type: dict
"""
