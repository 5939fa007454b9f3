# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: a budget as a table."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.table import budget_table as lay_out

DOCUMENTATION = r"""
name: budget_table
short_description: Lay out a budget as a table for the terminal
version_added: 0.1.0
description:
  - Total, usable, reserve, headroom, available, per agent, maximum, recommended, slots and jobs, a line each.
options:
  _input:
    description: What P(nova.agent_host.memory_budget#filter) gives.
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
  description: The table, lines separated by line breaks.
  type: str
"""


def budget_table(budget: Budget) -> str:
    missing = sorted(Budget.__annotations__.keys() - budget.keys()) if isinstance(budget, dict) else ["a dictionary"]
    if missing:
        raise AnsibleFilterError(f"budget_table needs what memory_budget gives; missing: {', '.join(missing)}")
    return lay_out(budget)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"budget_table": budget_table}
