# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The features of the collection, in the order in which site applies their roles. Pure.

A feature is a module: ``ROLE``, a dataclass ``Variables``, and three functions. See docs/adding-a-role.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from ..budget.arithmetic import Budget, BudgetError, compute_budget
from ..budget.host import HostSize
from ..budget.nova import NovaMemoryError
from ..budget.policy import BudgetPolicy
from ..observed.shapes import Observation
from . import (
    agent_capacity,
    agent_ceiling,
    agent_hygiene,
    agent_limits,
    agent_policy,
    agent_status,
    agent_toolchain,
    agent_warm,
    agent_wrappers,
)
from . import variables as read
from .policy import Host, Policy
from .shapes import Wanted


class Feature(Protocol):
    """The interface of a feature: pure functions."""

    ROLE: str
    Variables: type

    def problems(self, policy: Policy) -> list[str]:
        """Problems of variables in combination, one line each."""

    def host_problems(self, policy: Policy, host: Host) -> list[str]:
        """Reasons why the policy does not fit a host, one line each. Nothing is changed on such a host."""

    def wanted(self, policy: Policy, host: Host) -> Wanted:
        """The desired state of the host."""


FEATURES: tuple[Feature, ...] = tuple(
    cast(Feature, module)
    for module in (
        agent_policy,
        agent_toolchain,
        agent_wrappers,
        agent_limits,
        agent_capacity,
        agent_ceiling,
        agent_hygiene,
        agent_warm,
        agent_status,
    )
)
ROLES = tuple(feature.ROLE for feature in FEATURES)
PLAYBOOK_VARIABLES = (
    "agent_audit_json",
    "agent_audit_junit",
    "agent_hosts_group",
    "agent_mirror_architectures",
    "agent_mirror_path",
    "agent_mirror_source",
    "agent_report_path",
    "agent_retire_all_hosts",
    "agent_site_serial",
    "agent_task_timeout",
)


class PolicyProblems(ValueError):
    """Problems of variables, one line each."""


class HostProblems(ValueError):
    """Reasons why the policy does not fit a host, one line each."""


def read_policy(values: Mapping[str, Any], specs: Mapping[str, read.Spec], unknown: Iterable[str] = ()) -> Policy:
    """Return the policy of a host. ``values`` has a value for every name in ``specs``. ``unknown`` has other names that
    begin in the same way. Raises PolicyProblems with all problems."""
    known = [*specs, *PLAYBOOK_VARIABLES]
    problems = [
        f"{name} is not a variable of this collection; did you mean {close[0]}?"
        for name in sorted({*unknown}.difference(known))
        if (close := difflib.get_close_matches(name, known, n=1, cutoff=0.9))
    ]
    checked = ((name, read.spec_problem(name, values[name], specs[name])) for name in sorted(specs))
    wrong = {name: problem for name, problem in checked if problem}
    records: dict[type, object] = {}
    for feature in FEATURES:
        records[feature.Variables] = read.read(feature.ROLE, feature.Variables, values, specs, wrong)
    problems += [problem for name, problem in wrong.items() if not read.comes_from(specs[name], wrong)]
    policy = Policy(values, records)
    problems = problems or [line for feature in FEATURES for line in feature.problems(policy)]
    if problems:
        raise PolicyProblems("\n".join(problems))
    return policy


def host_budget(policy: Policy, observed: Observation) -> Budget:
    """The budget of an observed host. Raises BudgetError."""
    ours, memory = policy.of(agent_policy.Variables), observed.memory
    return compute_budget(
        BudgetPolicy(ours.memory_per_agent, ours.system_reserve, ours.headroom, ours.recommended_agents),
        HostSize(memory["total"], observed.cpus, memory["hugepages"], memory["cgroup_limit"]),
    )


def host_of(policy: Policy, observed: Observation, roles: Iterable[str]) -> Host:
    """Return the host with its budget. Raises HostProblems if the policy of ``roles`` does not fit the host."""
    wanted = set(roles)
    left_out = set(policy.of(agent_policy.Variables).users) - observed.accounts.users.keys()
    if left_out:
        raise HostProblems(f"the host's answer leaves out {', '.join(sorted(left_out))} of agent_policy_users")
    try:
        host = Host(observed, host_budget(policy, observed))
    except BudgetError as error:
        raise HostProblems("\n".join([*agent_policy.basic_problems(policy, observed), str(error)])) from None
    problems = [line for feature in FEATURES if feature.ROLE in wanted for line in feature.host_problems(policy, host)]
    if problems:
        raise HostProblems("\n".join(problems))
    return host


def wanted_of(policy: Policy, host: Host, roles: Iterable[str]) -> list[Wanted]:
    """Return the desired state for each of ``roles``, in the order of FEATURES. Raises HostProblems."""
    asked = set(roles)
    try:
        return [feature.wanted(policy, host) for feature in FEATURES if feature.ROLE in asked]
    except NovaMemoryError as error:
        raise HostProblems(str(error)) from None


def retired_of(observed: Observation, roles: Iterable[str]) -> list[Wanted]:
    """Return the desired state of a host from which ``roles`` are removed, in their order."""
    return [agent_capacity.retired(observed) if role == agent_capacity.ROLE else Wanted(role) for role in roles]
