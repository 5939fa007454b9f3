# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: the variables of the collection that hold something that can't be meant."""

from __future__ import annotations

DOCUMENTATION = r"""
name: policy_problems
short_description: Tell which variables of the collection hold something that can't be meant
version_added: 0.1.0
description:
  - Checks types and choices against the argument specs of all roles, and beyond them sizes, names, paths, addresses and
    the order of the memory limits. Works on the controller alone.
positional: _input
options:
  _input:
    description: Variables by name. Names that are no variable of the collection are looked at only for misspellings.
    type: dict
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Check two variables
  ansible.builtin.debug:
    msg: "{{ {'agent_policy_memory_per_agent': 'lots', 'agent_policy_prefix': '/'} | nova.agent_host.policy_problems }}"
"""

RETURN = r"""
_value:
  description: One sentence a problem; empty where there is none.
  type: list
  elements: str
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils import policy

ROLES = Path(__file__).parents[2] / "roles"


@cache
def _specs() -> dict[str, dict[str, Any]]:
    """Every variable of every role, from the roles' own argument specs."""
    specs: dict[str, dict[str, Any]] = {}
    for file in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        specs |= yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return specs


def policy_problems(variables: dict[str, Any]) -> list[str]:
    if not isinstance(variables, dict):
        raise AnsibleFilterError(f"policy_problems takes variables by name, and was given {type(variables).__name__}")
    return policy.policy_problems(variables, _specs())


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"policy_problems": policy_problems}
