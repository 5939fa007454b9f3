# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_hygiene: the sweep of target folders, AI audit logs, the check of the test layout. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from ..hygiene import policy as hygiene
from ..hygiene import space
from ..observed.shapes import Observation
from . import agent_policy
from . import variables as read
from .policy import Host, Policy, no_problems
from .shapes import Condition, Entry, Library, Template, Wanted
from .unit_files import Timer
from .units import try_calendar
from .variables import variable

ROLE = "agent_hygiene"
REPORT = "/var/lib/nova-agent/targets.json"
PROGRAMS = ("check-test-layout", "agent-sweep", "agent-audit-log")
MODULES = ("hygiene.sweep_cli", "hygiene.audit_log_cli", "crate_tests.cli")


@dataclass(frozen=True)
class Variables:
    target_max: int = variable(read.size)
    workspaces: tuple[hygiene.Workspaces, ...] = variable(hygiene.check_workspaces)
    free_min: Optional[space.Mark] = variable(space.check_mark)
    free_goal: Optional[space.Mark] = variable(space.check_mark)
    free_schedule: str = variable(read.calendar)
    schedule: str = variable(read.calendar)
    jitter: str = variable(read.span)
    audit_logs: tuple[hygiene.AuditLog, ...] = variable(hygiene.check_audit_logs)
    audit_schedule: str = variable(read.calendar)


def problems(policy: Policy) -> list[str]:
    ours = policy.of(Variables)
    problem = space.marks_problem(ours.free_min, ours.free_goal, (f"{ROLE}_free_min", f"{ROLE}_free_goal"))
    return [problem] if problem else []


host_problems = no_problems


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, prefix = policy.of(Variables), policy.of(agent_policy.Variables).prefix
    timers = tuple(_timers(ours, prefix))
    return Wanted(
        ROLE,
        entries=(
            *(
                Entry(f"{prefix}/bin/{name}", content=Template(f"{ROLE}/files/{name}"), mode="0755")
                for name in PROGRAMS
            ),
            # Only root can open it, because the sweep locks it.
            Entry(f"{prefix}/etc/hygiene.json", content=_policy_file(policy), mode="0600"),
            # The result of the last sweep, for agent-status and people.
            *([Entry(REPORT, mode="0644")] if ours.workspaces else ()),
            *(entry for timer in timers for entry in timer.entries),
        ),
        units=tuple(unit for timer in timers for unit in timer.units),
        conditions=tuple(_audit_logs(ours, host.observed)),
        libraries=tuple(Library(module, f"{prefix}/lib/agent_hygiene") for module in MODULES),
    )


def _timers(ours: Variables, prefix: str) -> Iterator[Timer]:
    sweep = {
        "program": f"{prefix}/bin/agent-sweep",
        "capabilities": "CAP_SETUID CAP_SETGID CAP_DAC_READ_SEARCH",
        "description": "Clean target folders that are too large",
        "schedule": ours.schedule,
        "jitter": ours.jitter,
    }
    free_space = {
        **sweep,
        "program": f"{prefix}/bin/agent-sweep --free-space",
        "description": "Clean target folders on file systems that have too little free",
        "schedule": ours.free_schedule,
        "jitter": "0",
    }
    audit_log = {
        "program": f"{prefix}/bin/agent-audit-log",
        "capabilities": "CAP_SETUID CAP_SETGID CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE",
        "description": "Keep AI audit logs at 0600",
        "schedule": ours.audit_schedule,
        "jitter": "0",
    }
    for name, needed, context, schedule in (
        ("nova-agent-sweep", ours.workspaces, sweep, "agent_hygiene_schedule"),
        ("nova-agent-free-space", ours.workspaces and ours.free_min, free_space, "agent_hygiene_free_schedule"),
        ("nova-agent-audit-log", ours.audit_logs, audit_log, "agent_hygiene_audit_schedule"),
    ):
        if needed:
            yield Timer(
                name,
                Template("agent_hygiene_service_template", context),
                Template("agent_hygiene_timer_template", context),
                try_calendar(schedule, context["schedule"]),
            )


def _policy_file(policy: Policy) -> str:
    values, shared = policy.values, policy.of(agent_policy.Variables)
    data = {
        "target_max": values["agent_hygiene_target_max"],
        "free_min": values["agent_hygiene_free_min"],
        "free_goal": values["agent_hygiene_free_goal"],
        "workspaces": values["agent_hygiene_workspaces"],
        "audit_logs": values["agent_hygiene_audit_logs"],
        "group": shared.group,
        "report": REPORT,
    }
    return json.dumps(data, indent=4, sort_keys=True) + "\n"


def _audit_logs(ours: Variables, observed: Observation) -> Iterator[Condition]:
    findings = observed.audit_logs
    for finding in findings:
        yield Condition("audit log", finding.path, True, False, finding.text, finding.kind)
    for log in ours.audit_logs:
        if log.path not in {finding.path for finding in findings}:
            yield Condition("audit log", log.path, True, True, "")
