# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: the memory of Nova's caches in one process."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ..module_utils.budget import nova as nova_memory
from ..module_utils.budget.host import host_size
from ..module_utils.budget.nova import NovaMemory
from ..module_utils.sizes import parse_size
from ..module_utils.text import is_empty

DOCUMENTATION = r"""
name: nova_memory_split
short_description: Compute the memory of Nova's caches in one process
version_added: 0.1.0
description:
  - Nova gives its caches a quarter of the memory that the process can get (the lowest of the host's memory, a
    container's limit and RLIMIT_AS), from 512 MiB to 4 GiB. It splits that into 40 % query cache, 25 % syntax trees,
    20 % indexes, 10 % type information, and the rest for other uses.
  - Nova computes this itself at each start, from its RLIMIT_AS. Set its environment variables only for other numbers.
    They override C(nova.toml) of the workspace, and do not follow a changed limit.
extends_documentation_fragment: [nova.agent_host.budget.memory]
options:
  address_space:
    description: RLIMIT_AS of the process, as a size. Default is no limit.
    type: str
  total:
    description: Memory of all caches, as a size. More than the process can get is an error.
    type: str
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the memory of Nova's caches with an RLIMIT_AS of 4 GiB
  ansible.builtin.debug:
    msg: "{{ '1536G' | nova.agent_host.nova_memory_split(address_space='4G') }}"

- name: Show the parts of another total
  ansible.builtin.debug:
    msg: "{{ '1536G' | nova.agent_host.nova_memory_split(address_space='4G', total='2G') }}"
"""

RETURN = r"""
_value:
  description: Bytes. The five parts add up to the total.
  type: dict
  contains:
    effective: {description: Memory that the process can get., type: int}
    total: {description: "All caches together, C(NOVA_MEMORY_BUDGET_TOTAL).", type: int}
    query_cache: {description: C(NOVA_MEMORY_BUDGET_QUERY_CACHE), type: int}
    syntax_trees: {description: C(NOVA_MEMORY_BUDGET_SYNTAX_TREES), type: int}
    indexes: {description: C(NOVA_MEMORY_BUDGET_INDEXES), type: int}
    type_info: {description: C(NOVA_MEMORY_BUDGET_TYPE_INFO), type: int}
    other: {description: C(NOVA_MEMORY_BUDGET_OTHER), type: int}
  sample: {
    effective: 4294967296, total: 1073741824, query_cache: 429496729, syntax_trees: 268435456, indexes: 214748364,
    type_info: 107374182, other: 53687093,
  }
"""


def nova_memory_split(memory: object, *, address_space: object = None, total: object = None) -> NovaMemory:
    try:
        host = host_size(memory)
        return nova_memory.nova_memory_split(
            host=host.total,
            cgroup_limit=host.cgroup_limit,
            address_space=None if is_empty(address_space) else parse_size(address_space, "address_space"),
            total=None if is_empty(total) else parse_size(total, nova_memory.TOTAL_NAME),
        )
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., NovaMemory]]:
        return {"nova_memory_split": nova_memory_split}
