# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: a pattern of hosts, if something in the inventory matches it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence

from ansible import context
from ansible.errors import AnsibleFilterError

from ..module_utils.text import and_more, safe_text

DOCUMENTATION = r"""
name: in_inventory
short_description: "Internal: fail if a pattern of hosts matches nothing in the inventory"
version_added: 0.1.0
description:
  - Return the pattern as it is, if a group or host of the inventory matches a part of it. Fail otherwise.
  - The playbooks use it for their C(hosts), because Ansible ends with status 0 if no host matches.
  - A group without hosts passes, because a fleet can be empty. An inventory without hosts and groups fails.
  - A syntax check and the options C(--list-...) need no inventory.
positional: _input, groups
options:
  _input:
    description: The pattern, the value of C(agent_hosts_group).
    type: str
    required: true
  groups:
    description: The variable C(groups) of Ansible.
    type: dict
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
# In a play:
#   hosts: "{{ 'builders' | nova.agent_host.in_inventory(groups) }}"
- name: Show the pattern
  ansible.builtin.debug:
    msg: "{{ 'agent_hosts' | nova.agent_host.in_inventory(groups) }}"
"""

RETURN = r"""
_value:
  description: The pattern.
  type: str
  sample: builders
"""

MOST_NAMES = 10


def in_inventory(pattern: str, groups: Mapping[str, Sequence[str]]) -> str:
    hosts, there = groups.get("all", []), sorted(set(groups) - {"all", "ungrouped"})
    if any(context.CLIARGS.get(option) for option in ("syntax", "listhosts", "listtags", "listtasks")):
        return pattern
    if not hosts and not there:
        raise AnsibleFilterError(
            "the inventory has no hosts and no groups: give its file with -i, such as -i inventory.yml"
        )
    # If a pattern has only parts with ! and &, Ansible begins with all hosts.
    parts = [part for part in re.split(r"[,:](?![^\[]*\])", pattern) if part[:1] not in ("!", "&")] or ["all"]
    if not hosts or any(_matches(part.strip(), [*groups, *hosts]) for part in [pattern, *parts]):
        return pattern
    raise AnsibleFilterError(
        f"agent_hosts_group is {safe_text(pattern)}, which is no group or host of the inventory; its groups are "
        f"{', '.join(and_more(there, MOST_NAMES)) or 'none'}: name the group of the hosts for agents with "
        "-e agent_hosts_group=GROUP"
    )


def _matches(part: str, names: Sequence[str]) -> bool:
    """Ranges such as [0] and regular expressions are left to Ansible."""
    return part.startswith("~") or "[" in part or any(fnmatch.fnmatchcase(name, part) for name in names)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"in_inventory": in_inventory}
