# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_status: the command agent-status. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from . import agent_policy, agent_toolchain, agent_wrappers
from .policy import Host, Policy, no_problems
from .shapes import Entry, Library, Template, Wanted
from .unit_files import Timer
from .variables import variable

ROLE = "agent_status"
METRICS = "/var/lib/nova-agent/metrics.prom"


@dataclass(frozen=True)
class Variables:
    metrics: bool = variable()


problems = host_problems = no_problems


def wanted(policy: Policy, host: Host) -> Wanted:
    prefix, metrics = policy.of(agent_policy.Variables).prefix, policy.of(Variables).metrics
    program, library, policy_file = f"{prefix}/bin/agent-status", f"{prefix}/lib/{ROLE}", f"{prefix}/etc/status.json"
    context = {"program": program, "file": METRICS}
    timer = Timer(
        "nova-agent-metrics",
        Template("agent_status_metrics_service_template", context),
        Template("agent_status_metrics_timer_template", context),
    )
    template = Template("agent_status_template", {"library": library, "policy_file": policy_file})
    return Wanted(
        ROLE,
        entries=(
            Entry(program, content=template, mode="0755", validate="/usr/bin/python3 -IBS -m ast %s"),
            Entry(policy_file, content=_policy_file(policy, host), mode="0644"),
            Entry("/usr/local/bin/agent-status", "link", target=program),
            # The program manages the content of this file.
            *((*timer.entries, Entry(METRICS, mode="0644")) if metrics else ()),
        ),
        units=timer.units if metrics else (),
        libraries=(Library("status.command", library),),
    )


def _policy_file(policy: Policy, host: Host) -> str:
    """The part of the policy that the program needs. It never reads the caller's environment."""
    budget = {name: value for name, value in host.budget.items() if name != "explanation"}
    builds = agent_wrappers.parallelism(policy, host.budget, host.observed.cpus)
    data = {
        "group": policy.of(agent_policy.Variables).group,
        "channel": policy.of(agent_toolchain.Variables).channel,
        "toolchain": agent_toolchain.tree(policy),
        "pool": agent_wrappers.POOL,
        "count_agents": policy.of(agent_policy.Variables).count_agents,
        "agent_programs": list(policy.of(agent_policy.Variables).agent_programs),
        "memory_hard_limit": policy.of(agent_policy.Variables).memory_hard_limit,
        "budget": {**budget, **asdict(builds)},
    }
    return json.dumps(data, indent=4, sort_keys=True) + "\n"
