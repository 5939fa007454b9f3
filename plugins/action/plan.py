# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of plan: how many agents fit on hosts that may not exist yet."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, ClassVar

from ..module_utils.budget.arithmetic import compute_budget
from ..module_utils.budget.ec2 import (
    SHAPES,
    PlanError,
    Shape,
    answered_shapes,
    find_shape,
    fleet_table,
    inventory_hosts,
    inventory_table,
)
from ..module_utils.budget.host import HostSize, host_size
from ..module_utils.budget.policy import VARIABLES, BudgetPolicy
from ..module_utils.budget.table import budget_table
from ..module_utils.sizes import parse_count
from ..module_utils.text import is_empty, safe_lines
from ..plugin_utils.controller_action import ControllerAction, shown

QUESTIONS = ("memory", "instance_type", "agents", "group")


class ActionModule(ControllerAction):
    spec: ClassVar[dict[str, dict[str, Any]]] = {option: {"type": "raw"} for option in (*QUESTIONS, "cpus")}

    def work(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        asked = {option: given[option] for option in QUESTIONS if not is_empty(given[option])}
        try:
            texts, problems = self._answers(asked, given["cpus"], variables)
        except ValueError as error:
            return {"failed": True, "msg": str(error)}
        return {**shown(safe_lines("\n".join(texts)).split("\n")), "problems": problems}

    def _answers(self, asked: dict[str, Any], cpus: object, variables: dict[str, Any]) -> tuple[list[str], list[str]]:
        """A text for each question, and the problems of hosts that can't be planned. Raises ValueError."""
        if not asked:
            raise PlanError(
                "nothing to plan: give -e memory=1536G, -e instance_type=r7i.48xlarge, -e agents=1000 or"
                " -e group=agent_hosts"
            )
        policy = self._policy(variables) if asked.keys() != {"group"} else BudgetPolicy()
        texts: list[str] = []
        problems: list[str] = []
        if "memory" in asked:
            texts.append(_budget(policy, host_size(asked["memory"], cpus)))
        if "instance_type" in asked:
            name = str(asked["instance_type"])
            shape = find_shape(name, self._shapes([name], variables))
            texts += [str(shape), _budget(policy, shape.size)]
        if "agents" in asked:
            texts.append(fleet_table(parse_count(asked["agents"], "agents"), policy))
        if "group" in asked:
            hosts = inventory_hosts(variables["groups"], variables["hostvars"], str(asked["group"]))
            types = [str(host["instance_type"]) for host in hosts.values()]
            table, problems = inventory_table(hosts, self._shapes(types, variables))
            texts.append(table)
        return texts, problems

    def _policy(self, variables: dict[str, Any]) -> BudgetPolicy:
        """The policy in extra variables and the inventory's group `all`."""
        given = {name: self._templar.template(variables[name]) for name in VARIABLES.values() if name in variables}
        return BudgetPolicy.from_variables(given)

    def _shapes(self, instance_types: list[str], variables: dict[str, Any]) -> dict[str, Shape]:
        """The known instance types, and those that EC2 describes if the collection amazon.aws is installed."""
        unknown = sorted(set(instance_types) - set(SHAPES))
        if not unknown or not _is_installed("ansible_collections.amazon.aws"):
            return SHAPES
        answer = self._execute_module(
            module_name="amazon.aws.ec2_instance_type_info",
            module_args={"instance_types": unknown},
            task_vars=variables,
        )
        if answer.get("failed"):
            raise PlanError(f"EC2 does not describe {', '.join(unknown)}: {answer.get('msg')}")
        return {**SHAPES, **answered_shapes(answer["instance_types"])}


def _budget(policy: BudgetPolicy, host: HostSize) -> str:
    return budget_table(compute_budget(policy, host))


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the parent package is missing too
        return False
