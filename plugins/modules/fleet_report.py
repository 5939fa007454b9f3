#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin fleet_report; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_report
short_description: "Internal: write an HTML page about all hosts of a play"
version_added: 0.1.0
description:
  - Works on the controller, for all hosts of the play at once (C(run_once)). Part of the playbook
    C(nova.agent_host.report).
  - The page is one file and loads nothing from a network. A reader sees the old or the new page.
options:
  path:
    description: Path on the controller for the page.
    type: path
    required: true
extends_documentation_fragment: [nova.agent_host.fleet]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Compare
  nova.agent_host.policy_compare:
    audit: true
  register: audited

- name: Write the page
  nova.agent_host.fleet_report:
    variable: audited
    path: agent-hosts.html
  run_once: true
"""

RETURN = r"""
msg:
  description: The path of the page and a summary, in one line.
  returned: success
  type: list
  elements: str
problems:
  description: Reasons why the page could not be written.
  returned: success
  type: list
  elements: str
"""
