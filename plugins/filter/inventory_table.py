# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: what the hosts of an inventory will hold."""

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory_table
short_description: Lay out how many agents the EC2 instances of an inventory hold, each by its own policy
version_added: 0.1.0
description:
  - Reads the instance type of each host and the variables of its policy. No host is contacted.
positional: _input, answers
options:
  _input:
    description: The hosts' variables, with C(instance_type) as the inventory plugin C(amazon.aws.aws_ec2) sets it.
    type: list
    elements: dict
    required: true
  answers:
    description: C(instance_types) of what C(amazon.aws.ec2_instance_type_info) returned, for types that
      P(nova.agent_host.instance_shape#filter) does not know.
    type: list
    elements: dict
    default: []
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show what two hosts hold
  nova.agent_host.show:
    text: "{{ hosts | nova.agent_host.inventory_table }}"
  vars:
    hosts:
      - {inventory_hostname: build1, instance_type: r7i.48xlarge}
      - {inventory_hostname: build2, instance_type: m7i.48xlarge, agent_policy_memory_per_agent: 8G}
"""

RETURN = r"""
_value:
  description: The table, lines separated by line breaks.
  type: str
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget import inventory as table


def inventory_table(hosts: list[dict[str, object]], answers: list[dict[str, object]] | None = None) -> str:
    try:
        return table.inventory_table(hosts, answers or [])
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"inventory_table": inventory_table}
