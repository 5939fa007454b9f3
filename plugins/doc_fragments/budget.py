# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Options that everything which computes a budget shares."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  _input:
    description:
      - The host's memory, in one of four forms.
      - A size such as V(1536G), V(768GiB) or V(4096M); every unit is 1024-based, and text without a unit is refused.
      - Bytes as an integer.
      - Plain C(ansible_facts). They are in whole MiB and know neither reserved huge pages nor a container's limit.
      - What M(nova.agent_host.agent_host_info) returns, which knows all of that.
    type: raw
    required: true
  per_agent:
    description: Address space of one agent's command (RLIMIT_AS), as a size.
    type: str
    default: 4G
  system_reserve:
    description:
      - Memory kept for the system and the kernel, as a size, in place of the larger of 1 GiB and 1/48 of usable.
    type: str
  headroom:
    description: Memory kept free for spikes, as a size, in place of the larger of 1 GiB and 25/192 of usable.
    type: str
  cpus:
    description:
      - Number of CPUs. Facts bring their own; with a size it is not known unless given, and C(jobs) and
        C(slots) are null.
    type: int
  recommended_agents:
    description: Number of agents that is advised, in place of 12/13 of the maximum. Above the maximum is an error.
    type: int
"""
