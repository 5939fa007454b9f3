# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The size of a host, from a size as text, facts, or the result of agent_host_info."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..sizes import MIB, SizeError, parse_count, parse_size
from ..text import is_empty

FORMS = "a size such as '1536G', bytes as an integer, ansible_facts, or the result of nova.agent_host.agent_host_info"


@dataclass(frozen=True)
class HostSize:
    """Sizes are bytes."""

    total: int  #: MemTotal.
    cpus: int | None = None  #: None if not known.
    hugepages: int = 0  #: Memory reserved for huge pages of all sizes.
    cgroup_limit: int | None = None  #: The memory limit of the container, None without one.


def host_size(memory: object, cpus: object = None) -> HostSize:
    """Read a host's size from any of the forms in FORMS. ``cpus`` replaces the number found there. Raises SizeError."""
    host = _host_size(memory)
    return host if is_empty(cpus) else replace(host, cpus=parse_count(cpus, "cpus"))


def _host_size(memory: object) -> HostSize:
    if isinstance(memory, Mapping):
        if isinstance(memory.get("memory"), Mapping):
            return _from_host_info(memory, memory["memory"])
        if "memtotal_mb" in memory:
            return _from_ansible_facts(memory)
        keys = ", ".join(sorted(str(key) for key in memory)[:8]) or "no keys"
        raise SizeError(f"memory is a dictionary with {keys}; give {FORMS}")
    if isinstance(memory, int) and not isinstance(memory, bool):
        return HostSize(parse_count(memory, "memory"))
    return HostSize(parse_size(memory, "memory"))


def _from_host_info(info: Mapping[object, object], memory: Mapping[object, object]) -> HostSize:
    limit = memory.get("cgroup_limit")
    return HostSize(
        total=parse_count(memory.get("total"), "memory.total"),
        cpus=parse_count(info.get("cpus"), "cpus"),
        hugepages=parse_count(memory.get("hugepages"), "memory.hugepages", smallest=0),
        cgroup_limit=None if limit is None else parse_count(limit, "memory.cgroup_limit"),
    )


def _from_ansible_facts(facts: Mapping[object, object]) -> HostSize:
    """Facts are in whole MiB, and have no limits of containers and no huge pages. processor_nproc respects the CPU
    affinity, processor_vcpus does not."""
    cpus = facts.get("processor_nproc", facts.get("processor_vcpus"))
    return HostSize(
        total=parse_count(facts["memtotal_mb"], "ansible_facts.memtotal_mb") * MIB,
        cpus=None if cpus is None else parse_count(cpus, "ansible_facts.processor_nproc"),
    )
