# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_warm: dependencies that are built once for all agents of a host. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..state.manifest import Manifest
from ..warm import policy as warm
from ..warm.seed import folders
from . import agent_policy
from . import variables as read
from .policy import Host, Policy, no_problems
from .shapes import Condition, Entry, Library, Note, Template, Wanted
from .unit_files import Timer
from .units import try_calendar
from .variables import variable

ROLE = "agent_warm"
STATE = ("/var/lib/private/nova-agent-warm", "/var/lib/nova-agent-warm")  # systemd's folders of the service accounts
FILES = {"agent-warm": ("bin", "0755"), "warm-member": ("libexec", "0755"), "cargo_warm.sh": ("libexec", "0644")}


@dataclass(frozen=True)
class Variables:
    projects: tuple[warm.Project, ...] = variable(warm.check_projects)
    schedule: str = variable(read.calendar)
    jitter: str = variable(read.span)
    keep: int = variable(read.auto_or_number(99))
    max_size: int = variable(read.size)


problems = host_problems = no_problems


def unwanted(policy: Policy, manifest: Manifest) -> list[str]:
    """The folders of seeds of a host that is to have none."""
    return [] if policy.of(Variables).projects else folders(manifest)


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, shared = policy.of(Variables), policy.of(agent_policy.Variables)
    if not ours.projects:
        return Wanted(ROLE)
    prefix, timers = shared.prefix, [_timer(policy, project) for project in ours.projects]
    data = warm.WarmPolicy(ours.projects, prefix, shared.rust_channel, ours.keep, ours.max_size)
    return Wanted(
        ROLE,
        entries=(
            *(
                Entry(f"{prefix}/{folder}/{name}", content=Template(f"{ROLE}/files/{name}"), mode=mode)
                for name, (folder, mode) in FILES.items()
            ),
            Entry(f"{prefix}/etc/warm.json", content=warm.dump_policy(data), mode="0644"),
            Entry(f"{prefix}/warm", "directory", mode="0755"),
            *(entry for timer in timers for entry in timer.entries),
        ),
        units=tuple(unit for timer in timers for unit in timer.units),
        conditions=tuple(
            Condition(
                "seed", seed.name, True, not seed.problem, f"{seed.problem}: start nova-agent-warm-{seed.project}"
            )
            for seed in host.observed.warm
        ),
        notes=tuple(_notes(ours, host)),
        libraries=(Library("warm.cli", f"{prefix}/lib/{ROLE}"),),
    )


def _unit(project: warm.Project) -> str:
    return f"nova-agent-warm-{project.name}"


def _timer(policy: Policy, project: warm.Project) -> Timer:
    ours, shared = policy.of(Variables), policy.of(agent_policy.Variables)
    context: dict[str, object] = {
        "description": f"Build the dependencies of {project.name} for all agents",
        "program": f"{shared.prefix}/bin/agent-warm",
        "project": project.name,
        "group": shared.group,
        "schedule": ours.schedule,
        "jitter": ours.jitter,
        # So that its timer starts again, and with it the service, when the project changes.
        "changes": warm.dump_policy(warm.WarmPolicy((project,), "", shared.rust_channel, 0, 0)).replace("\n", " "),
    }
    return Timer(
        _unit(project),
        Template("agent_warm_service_template", context),
        Template("agent_warm_timer_template", context),
        try_calendar("agent_warm_schedule", ours.schedule),
    )


def _notes(ours: Variables, host: Host) -> Iterator[Note]:
    with_seed = {seed.project for seed in host.observed.warm}
    for project in ours.projects:
        if project.name not in with_seed:
            yield Note("seed", project.name, f"has no seed yet: see journalctl -u {_unit(project)}")
