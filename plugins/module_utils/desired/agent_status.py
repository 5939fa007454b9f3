# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_status: the command agent-status. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ansible_collections.nova.agent_host.plugins.module_utils.desired import (
    agent_policy,
    agent_toolchain,
    agent_wrappers,
)
from ansible_collections.nova.agent_host.plugins.module_utils.desired.policy import Host, Policy
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Entry, Library, Template, Wanted

ROLE = "agent_status"


@dataclass(frozen=True)
class Variables:
    pass


def problems(policy: Policy) -> list[str]:
    return []


def host_problems(policy: Policy, host: Host) -> list[str]:
    return []


def wanted(policy: Policy, host: Host) -> Wanted:
    prefix = policy.of(agent_policy.Variables).prefix
    library, policy_file = f"{prefix}/lib/agent_status", f"{prefix}/etc/status.json"
    program = Template("agent_status_template", {"library": library, "policy_file": policy_file})
    return Wanted(
        ROLE,
        entries=(
            Entry(
                f"{prefix}/bin/agent-status", content=program, mode="0755", validate="/usr/bin/python3 -IBS -m ast %s"
            ),
            Entry(policy_file, content=_policy_file(policy, host), mode="0644"),
            Entry("/usr/local/bin/agent-status", "link", target=f"{prefix}/bin/agent-status"),
        ),
        libraries=(Library("status.command", library),),
    )


def _policy_file(policy: Policy, host: Host) -> str:
    """What the program needs to know of the policy. It never reads the caller's environment."""
    budget = {name: value for name, value in host.budget.items() if name != "explanation"}
    builds = agent_wrappers.parallelism(policy, host.budget, host.observed.cpus)
    data = {
        "group": policy.of(agent_policy.Variables).group,
        "channel": policy.of(agent_toolchain.Variables).channel,
        "toolchain": agent_toolchain.tree(policy),
        "slots": agent_wrappers.SLOTS,
        "budget": {**budget, **asdict(builds)},
    }
    return json.dumps(data, indent=4, sort_keys=True) + "\n"
