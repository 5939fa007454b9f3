#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of the action plugin show; nothing runs on the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: show
short_description: Print text line by line
version_added: 0.1.0
description:
  - Prints on the controller. Characters that a terminal would obey or that would hide other text are escaped.
  - M(ansible.builtin.debug) prints line breaks as C(\\n) unless the callback is
    set to YAML, which is no way to show a table.
options:
  text:
    description: The text.
    type: str
    required: true
extends_documentation_fragment: [nova.agent_host.read_only]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the budget of a host
  nova.agent_host.show:
    text: "{{ '1536G' | nova.agent_host.memory_budget(cpus=192) | nova.agent_host.budget_table }}"
"""

RETURN = r"""#"""
