# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Shapes of EC2 instances that suit hundreds of agents, and how many of them a number of agents needs."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import BudgetError
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inputs import budget_of
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, MIB, readable_size

SOURCE = "EC2's DescribeInstanceTypes as recorded in moto 5.2.5, read 2026-11-23"

# The kernel and the firmware keep the rest. Seen on smaller instances; no host of these shapes has been measured.
MEMTOTAL_SHARE = Fraction(984, 1000)


class InstanceShape(NamedTuple):
    """One instance type: bytes of memory as EC2 sells it, and its CPUs."""

    name: str
    cpus: int
    nominal: int

    @property
    def memory(self) -> int:
        """The MemTotal that is assumed, in bytes."""
        return int(self.nominal * MEMTOTAL_SHARE)

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.cpus} CPUs, {readable_size(self.nominal)} nominal;"
            f" MemTotal is assumed to be {float(MEMTOTAL_SHARE):.1%} of it, {readable_size(self.memory)}"
        )


SHAPES = tuple(
    InstanceShape(name, cpus, gib * GIB)
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
)


class ShapeError(ValueError):
    """An instance type is not known. The message has those that are."""


def instance_shape(instance: object) -> InstanceShape:
    """Give the shape of an instance type of the table, or of an entry of amazon.aws.ec2_instance_type_info's result."""
    if isinstance(instance, Mapping):
        try:
            return InstanceShape(
                name=instance["instance_type"],
                cpus=instance["v_cpu_info"]["default_v_cpus"],
                nominal=instance["memory_info"]["size_in_mi_b"] * MIB,
            )
        except (KeyError, TypeError) as error:
            raise ShapeError(f"the instance type's description lacks {error}") from error
    for shape in SHAPES:
        if shape.name == instance:
            return shape
    raise ShapeError(
        f"instance_type is {instance!r}; known are {', '.join(shape.name for shape in SHAPES)},"
        " others where the collection amazon.aws is installed to ask EC2"
    )


def fleet_table(agents: int, **options: object) -> str:
    """Lay out how many hosts of each shape hold ``agents`` agents at the recommended number a host.

    ``options`` are those of ``budget_of``, without cpus. A shape that can't hold one agent, or as many as recommended,
    gets a dash.
    """
    lines = [f"{'Instance type':<16}{'CPUs':>5}{'Nominal':>13}{'MemTotal':>13}{'Agents a host':>15}{'Hosts':>7}"]
    for shape in SHAPES:
        try:
            each = budget_of(shape.memory, cpus=shape.cpus, **options)["recommended_agents"]
            counts = f"{each:>15,}{-(-agents // each):>7,}"
        except BudgetError:
            counts = f"{'-':>15}{'-':>7}"
        sizes = f"{readable_size(shape.nominal):>13}{readable_size(shape.memory):>13}"
        lines.append(f"{shape.name:<16}{shape.cpus:>5}{sizes}{counts}")
    return "\n".join(lines)
