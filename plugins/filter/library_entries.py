# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: the entries of host_state for the logic of a program that runs on hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: library_entries
short_description: List the files of this collection that a program on a host imports
version_added: 0.1.0
description:
  - Gives entries for M(nova.agent_host.host_state), so that a program on the host
    works with the same logic as the modules.
  - A program that puts O(folder) into its C(sys.path) imports the module by its full name,
    C(ansible_collections.nova.agent_host.plugins.module_utils.MODULE).
positional: _input, folder
options:
  _input:
    description:
      - Name of a module below C(plugins/module_utils), such as V(budget.arithmetic).
      - What it imports from there comes with it.
    type: str
    required: true
  folder:
    description: Where on the host they are to lie.
    type: str
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Put the arithmetic of the budget on a host
  nova.agent_host.host_state:
    role: example
    entries: "{{ 'budget.arithmetic' | nova.agent_host.library_entries('/opt/example/lib') }}"
"""

RETURN = r"""
_value:
  description: Entries for M(nova.agent_host.host_state).
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.plugin_utils.library import library_entries


def _library_entries(module: str, folder: str) -> list[dict[str, Any]]:
    try:
        return library_entries(module, folder)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"library_entries": _library_entries}
