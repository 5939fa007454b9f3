# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: the entries of host_state for the slots."""

from __future__ import annotations

DOCUMENTATION = r"""
name: slot_entries
short_description: List the files of the slots in which cargo commands run
version_added: 0.1.0
description:
  - Gives entries for M(nova.agent_host.host_state) - the folder, a turnstile, and for each slot a lock and a record.
positional: _input, folder, group
options:
  _input:
    description: Number of slots.
    type: int
    required: true
  folder:
    description: Where they lie.
    type: str
    required: true
  group:
    description: The group whose members may lock them.
    type: str
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the files of two slots
  ansible.builtin.debug:
    msg: "{{ 2 | nova.agent_host.slot_entries('/run/nova-agent/slots', 'nova-agents') }}"
"""

RETURN = r"""
_value:
  description: Entries for M(nova.agent_host.host_state).
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.policy.wrappers import slot_entries


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"slot_entries": slot_entries}
