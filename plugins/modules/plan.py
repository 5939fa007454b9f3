#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Documentation of action plan; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: "Internal: print how many agents fit on hosts"
version_added: 0.1.0
description:
  - Part of playbook C(nova.agent_host.plan). Contacts no host.
  - Reads the variables of role C(agent_policy).
options:
  memory:
    description: Memory of a host, in a form that P(nova.agent_host.memory_budget#filter) takes.
    type: raw
  cpus:
    description: Number of CPUs of that host.
    type: raw
  instance_type:
    description: An EC2 instance type. If the table does not have it, the collection C(amazon.aws) requests it from EC2.
    type: raw
  agents:
    description: Number of agents. Prints how many hosts of each known instance type they need.
    type: raw
  group:
    description: Group of the inventory. Its hosts need C(instance_type); each is planned with its own policy.
    type: raw
extends_documentation_fragment: [nova.agent_host.read_only]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show how many hosts 1000 agents need
  nova.agent_host.plan:
    agents: 1000
"""

RETURN = r"""#"""
