# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action: print what hosts can hold. Runs on the controller."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import compute_budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.ec2 import (
    SHAPES,
    PlanError,
    Shape,
    answered_shapes,
    find_shape,
    fleet_table,
    inventory_hosts,
    inventory_table,
)
from ansible_collections.nova.agent_host.plugins.module_utils.budget.host import HostSize, host_size
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import VARIABLES, BudgetPolicy
from ansible_collections.nova.agent_host.plugins.module_utils.budget.table import budget_table
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import parse_count
from ansible_collections.nova.agent_host.plugins.module_utils.text import counted, is_empty, safe_lines

QUESTIONS = ("memory", "instance_type", "agents", "group")
SPEC: dict[str, dict[str, Any]] = {option: {"type": "raw"} for option in (*QUESTIONS, "cpus")}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, asked = self.validate_argument_spec(SPEC)
        try:
            self._answer(asked, task_vars or {})
        except ValueError as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        return {"changed": False}

    def _answer(self, asked: dict[str, Any], variables: dict[str, Any]) -> None:
        """Print an answer to each question. Raises ValueError if one has none."""
        given = [option for option in QUESTIONS if not is_empty(asked[option])]
        if not given:
            raise PlanError(
                "nothing to plan: give -e memory=1536G, -e instance_type=r7i.48xlarge, -e agents=1000 or"
                " -e group=agent_hosts"
            )
        policy = self._policy(variables) if given != ["group"] else BudgetPolicy()
        if "memory" in given:
            _show(_budget(policy, host_size(asked["memory"], asked["cpus"])))
        if "instance_type" in given:
            name = str(asked["instance_type"])
            shape = find_shape(name, self._shapes([name], variables))
            _show(f"{shape}\n{_budget(policy, shape.size)}")
        if "agents" in given:
            _show(fleet_table(parse_count(asked["agents"], "agents"), policy))
        if "group" in given:
            hosts = inventory_hosts(variables["groups"], variables["hostvars"], str(asked["group"]))
            table, problems = inventory_table(hosts, self._shapes([host.instance_type for host in hosts], variables))
            _show("\n".join([table, *problems]))
            if problems:
                raise PlanError(
                    f"{len(problems)} of {counted(len(hosts), 'host')} can't be planned; see below the table"
                )

    def _policy(self, variables: dict[str, Any]) -> BudgetPolicy:
        """The policy in the inventory's group `all` and in extra variables. An empty one has its default."""
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


def _show(text: str) -> None:
    Display().display(safe_lines(text))


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the parent package is missing, too
        return False
