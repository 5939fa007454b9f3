# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The summary of a host that site prints: how many agents fit, and what can defeat a memory limit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..compare.items import drifted
from ..desired import agent_limits, agent_policy, agent_wrappers
from ..desired.policy import Host, Policy
from ..desired.shapes import Wanted
from ..sizes import readable_size
from ..text import counted, safe_text

MOST_NAMES = 10
CEILING_OFFER = (
    "commands without a wrapper can use all memory, and then the host may not answer for minutes; set "
    "agent_ceiling_enabled: true (docs/reliability.md)"
)


def summary_lines(policy: Policy, host: Host, wanted: Iterable[Wanted] = ()) -> list[str]:
    """The first line has the number of agents that fit; the others are notes, also about drift that stays."""
    budget = host.budget
    builds = agent_wrappers.parallelism(policy, budget, host.observed.cpus)
    holds = (
        f"{budget['recommended_agents']} agents ({budget['max_agents']} at most) of "
        f"{readable_size(budget['per_agent'])}; {counted(builds.slots, 'cargo command')} at once, "
        f"{counted(builds.jobs, 'job')} each"
    )
    notes = [
        *agent_policy.fence_notes(host.observed),
        *agent_policy.crowd_notes(policy.of(agent_policy.Variables), host.observed, budget["recommended_agents"]),
        *_login_notes(policy, host),
        *(f"{one.name} {one.why}" for one in drifted(wanted) if one.by_hand),
    ]
    return [holds, *(f"note: {safe_text(note, 500)}" for note in notes)]


def _login_notes(policy: Policy, host: Host) -> list[str]:
    ways, notes = host.observed.login_paths, []
    if ways.sshd_without_pam:
        notes.append(
            "sshd does not use PAM, so no limit applies to logins by ssh: set UsePAM yes in /etc/ssh/sshd_config"
        )
    if ways.pam_without_limits:
        files = ", ".join(f"/etc/pam.d/{name}" for name in ways.pam_without_limits)
        notes.append(f"no limit applies to logins through {files}: add `session required pam_limits.so`")
    wanted = agent_limits.limits(policy.of(agent_limits.Variables), host.observed)
    stale = agent_limits.stale_sessions(host.observed.sessions, wanted)
    if stale and agent_limits.ROLE in host.observed.manifest.roles:
        notes.append(
            f"open sessions and services still have other limits: {_names(stale)}; log in again, or restart the service"
        )
    return notes


def fleet_lines(
    summaries: Mapping[str, Sequence[str]], done: Sequence[str], left_out: str, offered: Sequence[str] = ()
) -> list[str]:
    """One line for all hosts with the same summary, and one line about the end of the run.

    ``summaries`` has every host of the play, ``done`` the hosts that did not fail. ``left_out`` is empty, or says what
    was not done: then the line does not begin with "done". ``offered`` has the hosts that could have a ceiling.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for host, lines in summaries.items():
        if host in done and lines:
            groups.setdefault(tuple(lines), []).append(safe_text(host))
    lines = [f"{_names(hosts)}: {line}" for group, hosts in groups.items() for line in group]
    without = [safe_text(host) for host in offered if host in done]
    if without:
        lines.append(f"no ceiling: {_names(without)}: {CEILING_OFFER}")
    missing = [safe_text(host) for host in summaries if host not in done]
    lines.append(f"{'reached' if left_out else 'done'}: {len(done)} of {len(summaries)} hosts{left_out}")
    if missing:
        lines.append(f"not reached or failed: {_names(missing, len(missing))}")
    return lines


def _names(names: Sequence[str], most: int = MOST_NAMES) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
