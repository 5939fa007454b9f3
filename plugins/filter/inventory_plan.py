# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: what the hosts of an inventory will hold."""

from __future__ import annotations

DOCUMENTATION = r"""
name: inventory_plan
short_description: Tell how many agents the EC2 instances of an inventory hold, each by its own policy
version_added: 0.1.0
description:
  - Reads the instance type of each host of a group and the variables of its policy. No host is contacted.
positional: _input, hostvars, group, answers
options:
  _input:
    description: The groups of the inventory with their hosts, as the variable C(groups) has them.
    type: dict
    required: true
  hostvars:
    description: The hosts' variables, as the variable C(hostvars) has them, with C(instance_type) as the inventory
      plugin C(amazon.aws.aws_ec2) sets it.
    type: dict
    required: true
  group:
    description: The group whose hosts are asked for.
    type: str
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
    text: "{{ ({'builders': seen | list} | nova.agent_host.inventory_plan(seen, 'builders')).table }}"
  vars:
    seen:
      build1: {instance_type: r7i.48xlarge}
      build2: {instance_type: m7i.48xlarge, agent_policy_memory_per_agent: 8G}
"""

RETURN = r"""
_value:
  description: What the hosts hold.
  type: dict
  contains:
    to_ask:
      description: Instance types that neither the table nor an answer tells of, where the collection C(amazon.aws) is
        installed to ask EC2.
      type: list
      elements: str
    table:
      description: A line a host and their sum, lines separated by line breaks.
      type: str
    problems:
      description: For each host that can't be planned, its name and why.
      type: list
      elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget import inventory
from ansible_collections.nova.agent_host.plugins.plugin_utils.amazon_aws import has_amazon_aws


def inventory_plan(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    group: str,
    answers: Sequence[Mapping[str, Any]] = (),
) -> inventory.Plan:
    try:
        return inventory.inventory_plan(groups, hostvars, group, answers, has_amazon_aws())
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., inventory.Plan]]:
        return {"inventory_plan": inventory_plan}
