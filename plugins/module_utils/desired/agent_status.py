# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_status: the command agent-status. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from . import agent_policy, agent_toolchain, agent_wrappers
from .policy import Host, Policy, no_problems
from .shapes import Entry, Library, Template, Wanted
from .unit_files import timer_entries, timer_units
from .variables import variable

ROLE = "agent_status"
METRICS = "/var/lib/nova-agent/metrics.prom"
METRICS_UNIT = "nova-agent-metrics"


@dataclass(frozen=True)
class Variables:
    metrics: bool = variable()


problems = host_problems = no_problems


def wanted(policy: Policy, host: Host) -> Wanted:
    prefix, metrics = policy.of(agent_policy.Variables).prefix, policy.of(Variables).metrics
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
            *(_metrics(f"{prefix}/bin/agent-status") if metrics else ()),
        ),
        units=timer_units(METRICS_UNIT) if metrics else (),
        libraries=(Library("status.command", library),),
    )


def _metrics(program: str) -> Iterator[Entry]:
    """A timer that writes the metrics. The program manages the file with the metrics."""
    context = {"program": program, "file": METRICS}
    yield from timer_entries(
        METRICS_UNIT,
        Template("agent_status_metrics_service_template", context),
        Template("agent_status_metrics_timer_template", context),
    )
    yield Entry(METRICS, mode="0644")


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
