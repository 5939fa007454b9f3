# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What the hosts of an inventory will hold, from their instance types and their policy; none is contacted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import BudgetError
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inputs import budget_of
from ansible_collections.nova.agent_host.plugins.module_utils.budget.instances import InstanceShape, instance_shape
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, readable_size

POLICY = {
    "per_agent": "agent_policy_memory_per_agent",
    "system_reserve": "agent_policy_system_reserve",
    "headroom": "agent_policy_headroom",
    "recommended_agents": "agent_policy_recommended_agents",
}


def inventory_table(hosts: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]] = ()) -> str:
    """A line a host and their sum. ``hosts`` are variables of hosts, with ``inventory_hostname`` and ``instance_type``;
    ``answers`` are amazon.aws.ec2_instance_type_info's entries for types that the table lacks.

    Raises ShapeError for a type that nobody told of, and SizeError for a policy that can't be meant.
    """
    shapes = {shape.name: shape for shape in map(instance_shape, answers)}
    hosts = sorted(hosts, key=lambda host: str(host["inventory_hostname"]))
    width = max([4, *(len(str(host["inventory_hostname"])) for host in hosts)]) + 1
    lines = [f"{'Host':<{width}}{'Instance type':<16}{'MemTotal':>13}{'Per agent':>11}{'Agents':>8}"]
    memory = agents = 0
    for host in hosts:
        name = host.get("instance_type")
        shape: InstanceShape = shapes[name] if name in shapes else instance_shape(name)
        options = {option: host.get(variable) or None for option, variable in POLICY.items()}
        try:
            budget = budget_of(shape.memory, cpus=shape.cpus, **options)
            each, per_agent = budget["recommended_agents"], readable_size(budget["per_agent"])
        except BudgetError:
            each, per_agent = 0, str(options["per_agent"])
        memory, agents = memory + shape.memory, agents + each
        lines.append(
            f"{host['inventory_hostname']:<{width}}{shape.name:<16}{readable_size(shape.memory):>13}{per_agent:>11}{each:>8,}"
        )
    total = f"{memory / GIB:,.1f} GiB"
    return "\n".join([*lines, f"{f'{len(hosts)} hosts':<{width + 16}}{total:>13}{'':>11}{agents:>8,}"])
