# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The memory that Nova gives to its caches in one process, as its crate nova-memory computes it."""

from __future__ import annotations

from typing import TypedDict

from ..sizes import GIB, MIB, readable_size

# The option of the filter and the variable of the role, as messages name them.
TOTAL_NAME = "total (agent_wrappers_nova_memory_total)"

SMALLEST_TOTAL = 512 * MIB
LARGEST_DEFAULT_TOTAL = 4 * GIB

# Percent of the total. ``other`` gets the rest, so the parts add up to the total.
SHARES = {"query_cache": 40, "syntax_trees": 25, "indexes": 20, "type_info": 10}


class NovaMemory(TypedDict):
    """Bytes. The parts add up to the total."""

    effective: int  #: Memory that the process can get: the lowest of host, container limit and RLIMIT_AS.
    total: int  #: All caches together: NOVA_MEMORY_BUDGET_TOTAL.
    query_cache: int  #: NOVA_MEMORY_BUDGET_QUERY_CACHE
    syntax_trees: int  #: NOVA_MEMORY_BUDGET_SYNTAX_TREES
    indexes: int  #: NOVA_MEMORY_BUDGET_INDEXES
    type_info: int  #: NOVA_MEMORY_BUDGET_TYPE_INFO
    other: int  #: NOVA_MEMORY_BUDGET_OTHER


class NovaMemoryError(ValueError):
    """The total is more than the process can get. The message names the variable to change."""


def nova_memory_split(
    host: int, cgroup_limit: int | None = None, address_space: int | None = None, total: int | None = None
) -> NovaMemory:
    """Compute the memory of Nova's caches, in bytes. Raises NovaMemoryError.

    ``host`` is MemTotal; ``cgroup_limit`` and ``address_space`` (RLIMIT_AS) are None without such a limit. ``total``
    replaces Nova's default: a quarter of the memory that the process can get, from 512 MiB to 4 GiB.
    """
    effective = min(size for size in (host, cgroup_limit, address_space) if size is not None)
    if total is not None and total > effective:
        raise NovaMemoryError(
            f"{TOTAL_NAME} is {readable_size(total)}, but a process can get only {readable_size(effective)}; lower it"
        )
    whole = max(SMALLEST_TOTAL, min(effective // 4, LARGEST_DEFAULT_TOTAL)) if total is None else total
    parts = {name: whole * percent // 100 for name, percent in SHARES.items()}
    return {
        "effective": effective,
        "total": whole,
        "query_cache": parts["query_cache"],
        "syntax_trees": parts["syntax_trees"],
        "indexes": parts["indexes"],
        "type_info": parts["type_info"],
        "other": whole - sum(parts.values()),
    }
