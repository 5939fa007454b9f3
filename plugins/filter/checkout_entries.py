# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: the entries of host_state for the checkouts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: checkout_entries
short_description: List the wrappers' links in working copies
version_added: 0.1.0
description:
  - Gives entries for M(nova.agent_host.host_state), two links for each working copy.
positional: _input, programs
options:
  _input:
    description: Absolute paths of the working copies.
    type: list
    elements: str
    required: true
  programs:
    description: The folder of the wrappers.
    type: str
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the links of one working copy
  ansible.builtin.debug:
    msg: "{{ ['/srv/nova'] | nova.agent_host.checkout_entries('/opt/nova-agent/bin') }}"
"""

RETURN = r"""
_value:
  description: Entries for M(nova.agent_host.host_state).
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.policy.wrappers import checkout_entries


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"checkout_entries": checkout_entries}
