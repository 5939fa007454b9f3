# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: memory and CPUs of an EC2 instance type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.budget import instances as instance_shapes
from ansible_collections.nova.agent_host.plugins.plugin_utils.amazon_aws import has_amazon_aws

DOCUMENTATION = r"""
name: instance_shape
short_description: Give memory and CPUs of an EC2 instance type
version_added: 0.1.0
description:
  - Knows a few types that suit hundreds of agents, from a table with its source and date. For others, give an entry of
    what C(amazon.aws.ec2_instance_type_info) returns.
options:
  _input:
    description: Name of an instance type, or what C(amazon.aws.ec2_instance_type_info) returned for one.
    type: raw
    required: true
  ask_ec2:
    description:
      - Give null for a type that is not in the table where the collection C(amazon.aws) is installed, so that the
        caller can ask EC2. Otherwise it is an error that has the types that are known.
    type: bool
    default: false
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show what an instance type can hold
  vars:
    shape: "{{ 'r7i.48xlarge' | nova.agent_host.instance_shape }}"
  ansible.builtin.debug:
    msg: "{{ shape.memory | nova.agent_host.memory_budget(cpus=shape.cpus) }}"
"""

RETURN = r"""
_value:
  description: The shape.
  type: dict
  contains:
    name:
      description: Name of the type.
      type: str
    cpus:
      description: Number of CPUs.
      type: int
    nominal:
      description: Bytes of memory that EC2 sells.
      type: int
    memory:
      description: Bytes of MemTotal that are assumed, a little less.
      type: int
    description:
      description: All of it in a line, with the source.
      type: str
"""


def instance_shape(instance: object, *, ask_ec2: bool = False) -> dict[str, Any] | None:
    try:
        shape = instance_shapes.instance_shape(instance)
    except ValueError as error:
        if ask_ec2 and has_amazon_aws():
            return None
        raise AnsibleFilterError(str(error)) from error
    source = instance_shapes.SOURCE if shape in instance_shapes.SHAPES else "EC2's answer"
    return {**shape._asdict(), "memory": shape.memory, "description": f"{shape} (source: {source})"}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., dict[str, Any] | None]]:
        return {"instance_shape": instance_shape}
