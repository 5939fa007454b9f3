#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin audit_report; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: "Internal: report the results of an audit of all hosts of a play, as a table and as files"
version_added: 0.1.0
description:
  - Works on the controller, for all hosts of the play at once (C(run_once)). Part of the playbook
    C(nova.agent_host.audit) and of C(nova.agent_host.report).
options:
  json:
    description: Path on the controller for the report as JSON.
    type: path
  junit:
    description: Path on the controller for the report as JUnit XML.
    type: path
  page:
    description: Path on the controller for the report as one HTML page, which loads nothing from a network.
    type: path
extends_documentation_fragment: [nova.agent_host.fleet]
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

RETURN = r"""#"""
