# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Options of all plugins that compute a budget."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  per_agent:
    description: Address space of a command of one agent (RLIMIT_AS), as a size.
    type: str
    default: 4G
  system_reserve:
    description: Memory kept for the system and kernel, as a size. Default is the larger of 1 GiB and 1/48 of usable.
    type: str
  headroom:
    description: Memory kept free for spikes, as a size. Default is the larger of 1 GiB and 25/192 of usable.
    type: str
  recommended_agents:
    description: Recommended number of agents. Default is 12/13 of the maximum. More than the maximum is an error.
    type: int
"""

    MEMORY = r"""
options:
  _input:
    description:
      - The memory of the host, in one of four forms.
      - A size such as V(1536G), V(768GiB) or V(4096M). Units are powers of 1024; a number without a unit is refused.
      - Bytes as an integer.
      - C(ansible_facts). They are in whole MiB and know neither reserved huge pages nor the limit of a container.
      - The result of M(nova.agent_host.agent_host_info), which knows both.
    type: raw
    required: true
"""

    CPUS = r"""
options:
  cpus:
    description: Number of CPUs. Facts have their own. Without it, C(jobs) and C(slots) of a size are null.
    type: int
"""
