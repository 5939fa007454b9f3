# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: a budget as a table."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget import table
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget

DOCUMENTATION = r"""
name: budget_table
short_description: Print a budget as a table (internal)
version_added: 0.1.0
description:
  - One line for each number.
options:
  _input:
    description: The result of P(nova.agent_host.memory_budget#filter).
    type: dict
    required: true
seealso:
  - module: nova.agent_host.show
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the budget of a host
  nova.agent_host.show:
    text: "{{ '1536G' | nova.agent_host.memory_budget(cpus=192) | nova.agent_host.budget_table }}"
"""

RETURN = r"""
_value:
  description: The table.
  type: str
"""


def budget_table(budget: Budget) -> str:
    if not isinstance(budget, dict) or not Budget.__annotations__.keys() <= budget.keys():
        raise AnsibleFilterError("budget_table needs the result of memory_budget")
    return table.budget_table(budget)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"budget_table": budget_table}
