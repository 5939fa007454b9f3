#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin fleet_report; nothing runs on the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: Write what is known of all hosts of a play as one HTML page
version_added: 0.1.0
description:
  - Works on the controller, for all hosts of the play at once (C(run_once)). Part of the playbook
    C(nova.agent_host.report).
  - The page needs nothing beside itself, and asks nothing of any network. It is replaced as a whole.
options:
  audited:
    description: The variable in which each host has the result of M(nova.agent_host.audit_record).
    type: str
    required: true
  observed:
    description: The variable in which each host that was reached has the result of M(nova.agent_host.policy_look).
    type: str
    required: true
  path:
    description: Where on the controller to write the page.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Writes the page in check mode, too; nothing on a host changes in any mode.
  diff_mode:
    support: none
    description: Shows nothing.
seealso:
  - module: nova.agent_host.audit_report
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.policy_look:
  register: seen

- name: Note that nothing was compared
  nova.agent_host.audit_record:
    observed: "{{ seen }}"
    failure: {msg: only the budget was asked for}
  register: audited

- name: Write the page
  nova.agent_host.fleet_report:
    audited: audited
    observed: seen
    path: agent-hosts.html
  run_once: true
"""

RETURN = r"""
path:
  description: Where the page is.
  returned: success
  type: str
problems:
  description: Why something could not be written, a line each. The task does not fail then, so that the play can go on
    to how the hosts are.
  returned: success
  type: list
  elements: str
totals:
  description: The fleet in numbers - hosts by status, and memory in bytes, agents and slots of those that were reached.
  returned: success
  type: dict
"""
