# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""EC2 instance types: the memory and CPUs of each, how many agents it holds, and how many instances a fleet needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..sizes import GIB, MIB, readable_size
from ..text import counted, safe_text
from .arithmetic import BudgetError, compute_budget
from .host import HostSize
from .policy import BudgetPolicy
from .table import columns

# The kernel and the firmware use the rest. Measured on smaller instances, not on these types.
MEMTOTAL_SHARE = Fraction(984, 1000)
TABLE = "EC2's DescribeInstanceTypes as recorded in moto 5.2.5, read 2026-11-23"


class PlanError(ValueError):
    """A plan can't be computed. The message names what to change."""


@dataclass(frozen=True)
class Shape:
    """An instance type. ``nominal`` is the memory that EC2 sells, in bytes."""

    name: str
    cpus: int
    nominal: int
    source: str = TABLE

    @property
    def size(self) -> HostSize:
        return HostSize(total=int(self.nominal * MEMTOTAL_SHARE), cpus=self.cpus)

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.cpus} CPUs, {readable_size(self.nominal)} nominal; MemTotal is assumed to be"
            f" {float(MEMTOTAL_SHARE):.1%} of it, {readable_size(self.size.total)} (source: {self.source})"
        )


SHAPES = {
    name: Shape(name, cpus, gib * GIB)
    for name, cpus, gib in (
        ("c7i.24xlarge", 96, 192),
        ("c7i.48xlarge", 192, 384),
        ("m7i.24xlarge", 96, 384),
        ("m7i.48xlarge", 192, 768),
        ("r7i.24xlarge", 96, 768),
        ("r7i.48xlarge", 192, 1536),
        ("i4i.32xlarge", 128, 1024),
        ("i7ie.48xlarge", 192, 1536),
    )
}


def answered_shapes(answers: Iterable[Any]) -> dict[str, Shape]:
    """Read ``instance_types`` in the result of amazon.aws.ec2_instance_type_info. Raises PlanError."""
    shapes = {}
    for answer in answers:
        try:
            name, cpus = str(answer["instance_type"]), int(answer["v_cpu_info"]["default_v_cpus"])
            memory = int(answer["memory_info"]["size_in_mi_b"]) * MIB
            shapes[name] = Shape(name, cpus, memory, source="EC2")
        except (KeyError, TypeError, ValueError) as error:
            raise PlanError(f"EC2's description of an instance type is incomplete: {error}") from error
    return shapes


def find_shape(instance_type: str, shapes: Mapping[str, Shape]) -> Shape:
    """Raises PlanError for an unknown type."""
    if instance_type not in shapes:
        raise PlanError(
            f"instance_type is {instance_type!r}, which is not known; known are {', '.join(shapes)}. To ask EC2 about"
            " other types, install the collection amazon.aws"
        )
    return shapes[instance_type]


def fleet_table(agents: int, policy: BudgetPolicy) -> str:
    """How many instances of each known type hold ``agents`` agents. A type that the policy does not fit has dashes."""
    rows: list[tuple[object, ...]] = [("Instance type", "CPUs", "Nominal", "MemTotal", "Agents per host", "Hosts")]
    for shape in SHAPES.values():
        try:
            each: int | None = compute_budget(policy, shape.size)["recommended_agents"]
        except BudgetError:
            each = None
        rows.append(
            (
                shape.name,
                shape.cpus,
                readable_size(shape.nominal),
                readable_size(shape.size.total),
                each and f"{each:,}",
                each and f"{-(-agents // each):,}",
            )
        )
    return columns(rows, left=1)


def inventory_hosts(
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, object]], group: str
) -> dict[str, Mapping[str, object]]:
    """The hosts of ``group`` with their variables, which must have instance_type. Raises PlanError."""
    if not groups.get(group):
        used = sorted(name for name, hosts in groups.items() if hosts and name not in ("all", "ungrouped"))
        raise PlanError(
            f"group is {group!r}, {'which has no hosts' if group in groups else 'which is not in the inventory'}; "
            + (f"groups with hosts are {', '.join(used)}" if used else "the inventory (-i) has no group with hosts")
        )
    hosts = {name: hostvars[name] for name in sorted(groups[group])}
    missing = [name for name, variables in hosts.items() if not isinstance(variables.get("instance_type"), str)]
    if missing:
        raise PlanError(
            f"instance_type is not set for {', '.join(map(safe_text, missing))}: set it in the inventory, such as"
            " instance_type: r7i.48xlarge (the plugin amazon.aws.aws_ec2 sets it), or use -e memory= for hosts outside"
            " EC2"
        )
    return hosts


def _has_ceiling(policy: Mapping[str, object]) -> bool:
    return str(policy.get("agent_ceiling_enabled", False)).lower() in ("true", "yes", "on", "1", "y", "t")


def inventory_table(hosts: Mapping[str, Mapping[str, object]], shapes: Mapping[str, Shape]) -> tuple[str, list[str]]:
    """A table of the hosts with sums, and one line with the reason for each host that can't be planned."""
    rows: list[tuple[object, ...]] = [("Host", "Instance type", "MemTotal", "Per agent", "Ceiling", "Agents")]
    problems = []
    memory, agents = 0, 0
    for name, policy in hosts.items():
        instance_type = str(policy["instance_type"])
        shape = shapes.get(instance_type)
        memory += shape.size.total if shape else 0
        total = readable_size(shape.size.total) if shape else None
        try:
            budget = compute_budget(BudgetPolicy.from_variables(policy), find_shape(instance_type, shapes).size)
        except ValueError as error:  # BudgetError, SizeError or PlanError
            problems.append(f"{safe_text(name)}: {error}")
            rows.append((name, instance_type, total, None, None, None))
            continue
        agents += budget["recommended_agents"]
        per_agent, recommended = readable_size(budget["per_agent"]), f"{budget['recommended_agents']:,}"
        ceiling = readable_size(budget["available"]) if _has_ceiling(policy) else "none"
        rows.append((name, instance_type, total, per_agent, ceiling, recommended))
    return columns(
        [*rows, (counted(len(hosts), "host"), "", readable_size(memory), "", "", f"{agents:,}")], left=2
    ), problems
