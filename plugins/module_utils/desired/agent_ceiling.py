# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Feature of role agent_ceiling: one maximum for all agents together, on user.slice. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..observed.shapes import Ceiling
from ..sizes import MIB, format_size, readable_size
from . import variables as read
from .policy import Host, Policy, no_problems
from .shapes import Condition, Template, Unit, Wanted
from .unit_files import drop_in
from .units import DROP_IN, SCHEDULER_DROP_IN, how_to_remove
from .variables import variable

ROLE = "agent_ceiling"
SLICE = "user-nova.slice"  # below user.slice by its name, and so below the ceiling
SCOPES_WITH_OOM_POLICY = 253  # systemd's version; before it, only services have one
CONTROLLERS = ("memory", "pids")
ADMINISTRATORS_SHARE = 4  # a quarter of the ceiling may be kept for administrators at most


@dataclass(frozen=True)
class Variables:
    enabled: bool = variable()
    kill: str = variable()
    administrator_memory: int = variable(read.size)
    tasks_max: str = variable(read.share_or_number)
    schedulers: tuple[str, ...] = variable(read.services)
    services: tuple[str, ...] = variable(read.services)
    wait: int = variable(read.from_zero)


problems = no_problems


def ceiling_size(available: int) -> int:
    """The budget's available memory in whole MiB: the kernel does not round this number, whatever its page size is."""
    return available // MIB * MIB


def blocked(policy: Policy, host: Host) -> bool:
    """Whether more memory is in use than the ceiling allows, so that processes would be killed at once."""
    users = host.observed.ceiling.users
    return bool(policy.of(Variables).enabled and users and users.in_use > ceiling_size(host.budget["available"]))


def host_problems(policy: Policy, host: Host) -> list[str]:
    ours, ceiling = policy.of(Variables), host.observed.ceiling
    if not ours.enabled:
        return []
    if ceiling.hierarchy != "unified":
        return [
            f"agent_ceiling_enabled needs cgroup v2 only, and this host's tree is {ceiling.hierarchy} "
            "(/sys/fs/cgroup): boot it with systemd.unified_cgroup_hierarchy=1 on the kernel's command line, or set "
            "agent_ceiling_enabled: false"
        ]
    missing = [name for name in CONTROLLERS if name not in ceiling.controllers]
    if missing:
        return [
            f"agent_ceiling_enabled needs the cgroup controllers {' and '.join(CONTROLLERS)}, but "
            f"/sys/fs/cgroup/cgroup.controllers has no {' and no '.join(missing)}: remove cgroup_disable= and "
            "cgroup_no_v1= from the kernel's command line, for a container delegate them on its machine, or set "
            "agent_ceiling_enabled: false"
        ]
    if ours.kill == "session" and ceiling.systemd < SCOPES_WITH_OOM_POLICY:
        return [
            f"agent_ceiling_kill is session, which needs systemd {SCOPES_WITH_OOM_POLICY} or newer, but the host has "
            f"{ceiling.systemd or 'an unknown version'}: set it to process"
        ]
    return _memory_problems(policy, host)


def _memory_problems(policy: Policy, host: Host) -> list[str]:
    ours, ceiling = policy.of(Variables), host.observed.ceiling
    size, found = ceiling_size(host.budget["available"]), []
    if blocked(policy, host) and not ours.wait and ceiling.users:
        found.append(
            f"all users together use {readable_size(ceiling.users.in_use)}, more than the ceiling of "
            f"{readable_size(size)}, so processes would be killed at once: end some of them, or set "
            "agent_ceiling_wait, and the play waits"
        )
    count = len(ceiling.administrators)
    if ours.administrator_memory * count * ADMINISTRATORS_SHARE > size:
        most = size // ADMINISTRATORS_SHARE // count // MIB
        found.append(
            f"agent_ceiling_administrator_memory is {format_size(ours.administrator_memory)} for each of "
            f"{', '.join(ceiling.administrators)}, together more than a quarter of the ceiling of "
            f"{readable_size(size)}: lower it to at most {most}M"
        )
    return found


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, ceiling = policy.of(Variables), host.observed.ceiling
    if not ours.enabled:
        return Wanted(ROLE)
    size = ceiling_size(host.budget["available"])
    slices = [f"user-{uid}.slice" for uid in sorted(set(ceiling.administrators.values()))]
    each = format_size(ours.administrator_memory)
    schedulers = [f"{name}.service" for name in ours.schedulers]
    users = {
        "memory_max": format_size(size),
        "memory_min": format_size(ours.administrator_memory * len(slices)),
        "tasks_max": ours.tasks_max,
    }
    oom_policy = "kill" if ours.kill == "session" else "continue"
    administrator = Template("agent_ceiling_administrator_template", {"memory_min": each})
    scheduler = Template("agent_ceiling_scheduler_template", {"slice": SLICE})
    service = Template("agent_ceiling_service_template", {"slice": SLICE, "oom_policy": oom_policy})
    entries = [
        drop_in("user.slice", DROP_IN, Template("agent_ceiling_users_template", users)),
        drop_in("user@.service", DROP_IN, Template("agent_ceiling_manager_template")),
        *(drop_in(name, DROP_IN, administrator) for name in slices),
        *(drop_in(name, SCHEDULER_DROP_IN, scheduler) for name in schedulers),
        *(drop_in(f"{name}.service", "90-nova-agent-ceiling.conf", service) for name in ours.services),
    ]
    if ours.kill == "session":
        entries.append(drop_in("session-.scope", DROP_IN, Template("agent_ceiling_session_template")))
    units = [
        Unit("user.slice"),
        *(Unit(name) for name in slices),
        *(Unit(name, restart=True) for name in schedulers),
        *(Unit(f"{name}.service") for name in ours.services),
    ]
    overrides = host.observed.fences.overrides.get("user.slice", [])
    return Wanted(ROLE, tuple(entries), tuple(units), tuple(_conditions(ours, ceiling, size, overrides)))


def offered(policy: Policy, host: Host) -> bool:
    """Whether the host could have a ceiling but has none."""
    ceiling = host.observed.ceiling
    could = ceiling.hierarchy == "unified" and set(CONTROLLERS) <= set(ceiling.controllers)
    return could and not policy.of(Variables).enabled


def _conditions(ours: Variables, ceiling: Ceiling, size: int, overrides: list[str]) -> Iterator[Condition]:
    users = ceiling.users
    holds = bool(users and users.memory_max == size and users.swap_max in (0, None))
    why = f"the maximum of {format_size(size)} is not in force, or swap is allowed in addition"
    if overrides:  # a reload does not remove these
        why = f"{why}: {', '.join(overrides)} can be the reason: {how_to_remove('user.slice', overrides)}"
    yield Condition("ceiling", "user.slice", True, holds, why, "memory", reload=not overrides)
    for name in ours.schedulers:
        unit = f"{name}.service"
        if unit in ceiling.services:
            yield Condition(
                "ceiling", unit, False, True, "does not run below the ceiling: restart it", "slice", restart=unit
            )
