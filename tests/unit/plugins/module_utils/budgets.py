# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Budgets for tests, from numbers alone."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget, compute_budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.host import HostSize
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import BudgetPolicy


def memory_budget(
    total: int, cpus: int | None = None, hugepages: int = 0, cgroup_limit: int | None = None, **policy: int
) -> Budget:
    return compute_budget(BudgetPolicy(**policy), HostSize(total, cpus, hugepages, cgroup_limit))
