# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What the hosts of an inventory will hold, from their instance types and their policy; none is contacted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import DEFAULT_PER_AGENT
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inputs import budget_of
from ansible_collections.nova.agent_host.plugins.module_utils.budget.instances import (
    InstanceShape,
    ShapeError,
    instance_shape,
)
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, parse_size, readable_size
from ansible_collections.nova.agent_host.plugins.module_utils.text import safe_text

POLICY = {
    "per_agent": "agent_policy_memory_per_agent",
    "system_reserve": "agent_policy_system_reserve",
    "headroom": "agent_policy_headroom",
    "recommended_agents": "agent_policy_recommended_agents",
}
EVERYBODY = ("all", "ungrouped")  # groups that every inventory has


class Plan(TypedDict):
    """The schema of the dictionary that the filter inventory_plan returns."""

    to_ask: list[str]  #: Instance types that neither the table nor an answer tells of, where EC2 can be asked.
    table: str  #: A line a host and their sum, for people.
    problems: list[str]  #: ``HOST: why`` for each host that can't be planned.


class InventoryError(ValueError):
    """The question can't be answered for any host. The message says what to ask or to set."""


class _Line(NamedTuple):
    host: str
    instance_type: str
    memory: int | None
    per_agent: str
    agents: int | None
    problem: str


def inventory_plan(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    group: str,
    answers: Iterable[Mapping[str, Any]] = (),
    can_ask: bool = False,
) -> Plan:
    """``groups`` and ``hostvars`` are those of a play; each host of ``group`` needs ``instance_type``. ``answers`` are
    amazon.aws.ec2_instance_type_info's entries for types that the table lacks, ``can_ask`` whether there can be any.

    Raises InventoryError, and ShapeError for an answer that lacks something.
    """
    hosts = _hosts(groups, hostvars, group)
    shapes = {shape.name: shape for shape in map(instance_shape, answers)}
    unknown = []
    for name in sorted({variables["instance_type"] for variables in hosts.values()} - set(shapes)):
        try:
            shapes[name] = instance_shape(name)
        except ShapeError:
            unknown.append(name)
    lines = [_line(host, variables, shapes) for host, variables in hosts.items()]
    problems = [f"{safe_text(line.host)}: {safe_text(line.problem)}" for line in lines if line.problem]
    return {"to_ask": unknown if can_ask else [], "table": _table(lines), "problems": problems}


def _hosts(
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]], group: str
) -> dict[str, Mapping[str, Any]]:
    filled = sorted(name for name, members in groups.items() if members and name not in EVERYBODY)
    if not groups.get(group):
        there = f"the inventory has: {', '.join(filled)}" if filled else "the inventory has no group with hosts"
        what = "which has no hosts" if group in groups else "no group of the inventory"
        raise InventoryError(f"group is {group!r}, {what}; {there}. Name one, and the inventory by -i")
    hosts = {name: hostvars[name] for name in sorted(groups[group])}
    without = [name for name, variables in hosts.items() if not isinstance(variables.get("instance_type"), str)]
    if without:
        one = len(without) == 1
        raise InventoryError(
            f"{'host' if one else 'hosts'} {', '.join(map(safe_text, without))} {'has' if one else 'have'} no"
            " instance_type: set it in the inventory, such as instance_type: r7i.48xlarge (the plugin"
            " amazon.aws.aws_ec2 does), or ask with -e memory= for hosts that are not in EC2"
        )
    return hosts


def _line(host: str, variables: Mapping[str, Any], shapes: Mapping[str, InstanceShape]) -> _Line:
    options = {option: variables.get(variable) or None for option, variable in POLICY.items()}
    name, memory = variables["instance_type"], None
    try:
        shape = shapes[name] if name in shapes else instance_shape(name)
        memory = shape.memory
        budget = budget_of(memory, cpus=shape.cpus, **options)
    except ValueError as error:  # BudgetError, SizeError and ShapeError: each says what to change
        return _Line(host, name, memory, _per_agent(options["per_agent"]), None, str(error))
    return _Line(host, name, memory, readable_size(budget["per_agent"]), budget["recommended_agents"], "")


def _per_agent(size: object) -> str:
    try:
        return readable_size(DEFAULT_PER_AGENT if size is None else parse_size(size, "per_agent"))
    except ValueError:
        return "-"


def _table(lines: Sequence[_Line]) -> str:
    names = [safe_text(line.host) for line in lines]
    types = [safe_text(line.instance_type) for line in lines]
    total = f"{len(lines)} {'host' if len(lines) == 1 else 'hosts'}"
    host_width = 2 + max(map(len, ("Host", total, *names)))
    type_width = max(16, 2 + max(map(len, types)))

    def row(host: str, instance_type: str, memory: str, per_agent: str, agents: str) -> str:
        return f"{host:<{host_width}}{instance_type:<{type_width}}{memory:>13}{per_agent:>11}{agents:>8}"

    return "\n".join(
        (
            row("Host", "Instance type", "MemTotal", "Per agent", "Agents"),
            *(
                row(
                    name,
                    instance_type,
                    "-" if line.memory is None else readable_size(line.memory),
                    line.per_agent,
                    "-" if line.agents is None else f"{line.agents:,}",
                )
                for name, instance_type, line in zip(names, types, lines)
            ),
            row(
                total,
                "",
                f"{sum(line.memory or 0 for line in lines) / GIB:,.1f} GiB",
                "",
                f"{sum(line.agents or 0 for line in lines):,}",
            ),
        )
    )
