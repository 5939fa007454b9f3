#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin site_report; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_report
short_description: "Internal: report how an apply of all hosts ended"
version_added: 0.1.0
description:
  - Works on the controller, for all hosts of the play at once (C(run_once)). Part of the playbook
    C(nova.agent_host.site).
extends_documentation_fragment: [nova.agent_host.fleet]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Compare
  nova.agent_host.policy_compare:
  register: compared

- name: Report
  nova.agent_host.site_report:
    variable: compared
  run_once: true
"""

RETURN = r"""#"""
