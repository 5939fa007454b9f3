# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Nova's rule for the caches of one process."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.budget.nova import NovaMemoryError, nova_memory_split

MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.parametrize(
    ("host", "cgroup_limit", "address_space", "effective", "total"),
    [
        (1536 * GIB, None, None, 1536 * GIB, 4 * GIB),
        (1536 * GIB, None, 4 * GIB, 4 * GIB, 1 * GIB),
        (1536 * GIB, 8 * GIB, 64 * GIB, 8 * GIB, 2 * GIB),
        (1 * GIB, None, 4 * GIB, 1 * GIB, 512 * MIB),
    ],
)
def test_total_is_a_quarter_of_the_memory_of_the_process(
    host: int, cgroup_limit: int | None, address_space: int | None, effective: int, total: int
) -> None:
    split = nova_memory_split(host, cgroup_limit, address_space)
    assert (split["effective"], split["total"]) == (effective, total)


def test_total_is_split() -> None:
    assert nova_memory_split(8 * GIB, total=100 * MIB) == {
        "effective": 8 * GIB,
        "total": 100 * MIB,
        "query_cache": 40 * MIB,
        "syntax_trees": 25 * MIB,
        "indexes": 20 * MIB,
        "type_info": 10 * MIB,
        "other": 5 * MIB,
    }


def test_total_above_the_memory_of_the_process_is_refused() -> None:
    with pytest.raises(NovaMemoryError) as error:
        nova_memory_split(8 * GIB, address_space=4 * GIB, total=5 * GIB)
    assert str(error.value) == (
        "total (agent_wrappers_nova_memory_total) is 5 GiB, but a process can get only 4 GiB; lower it"
    )
