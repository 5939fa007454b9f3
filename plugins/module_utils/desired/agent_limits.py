# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Feature of role agent_limits: the limits of agents' logins and of services that run agents. Pure.

Each limit is stored once, in the kernel's unit. limits.conf has sizes in KiB and CPU time in minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..compare.units import limits_that_differ, pair_text
from ..host.pam import LIMITS
from ..observed.shapes import Limits, Observation, Session
from ..sizes import KIB, format_size
from . import agent_policy
from . import variables as read
from .policy import Host, Policy
from .shapes import Condition, Entry, Note, Template, Unit, Wanted
from .unit_files import drop_in
from .variables import PolicyError, variable

ROLE = "agent_limits"
FILE = "/etc/security/limits.d/90-nova-agent.conf"
MINUTE = 60
AUTO = "auto"
OPEN_FILES = (65_536, 1_048_576)  # the value of auto, if the host allows it

# Items of limits.conf that limit a process, with the kernel's units in one of limits.conf. systemd calls them Limit and
# the item in capitals, prlimit the item itself.
PROCESS_ITEMS = {
    **dict.fromkeys(LIMITS, 1),
    **dict.fromkeys(("as", "core", "data", "fsize", "memlock", "rss", "stack"), KIB),
    "cpu": MINUTE,
}
UNIT_NAMES = {KIB: "KiB", MINUTE: "minutes", 1: ""}
COUNTED = {"nofile": "open files", "nproc": "processes"}
# Items that only PAM has. They do not apply to services, which have no login.
LOGIN_ITEMS = ("maxlogins", "maxsyslogins", "nice", "priority")
OWN_VARIABLE = {
    "as": "agent_limits_login_address_space",
    "core": "agent_limits_core",
    "nofile": "agent_limits_nofile",
    "nproc": "agent_limits_nproc",
}

# Starts a shell as nobody with the new limits. If it fails, no agent could log in.
TRY_SHELL = (
    '/bin/sh -c \'prlimit "$@" setpriv --reuid=65534 --regid=65534 --clear-groups '
    '/bin/sh -c "exec /bin/sh -c true" || '
    '{ echo "no shell starts with $*, so no agent could log in: raise that limit in agent_limits_nofile or _extra" '
    ">&2; exit 1; }' sh "
)


def _extra(name: str, value: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {item: _extra_limit(name, item, limit) for item, limit in sorted(value.items())}


def _extra_limit(name: str, item: str, limit: Any) -> tuple[str, str]:
    if item in OWN_VARIABLE:
        raise PolicyError(f"{name} has {item}, which has a variable of its own: set {OWN_VARIABLE[item]}")
    pairs = "or SOFT:HARD of these in quotes"
    if item in PROCESS_ITEMS:
        number = "0|[1-9][0-9]{0,14}|unlimited"
        return read.soft_and_hard(f"{name}: {item}", limit, number, f"a whole number, unlimited, {pairs}")
    if item in LOGIN_ITEMS:
        number = "-?(0|[1-9][0-9]?)"
        return read.soft_and_hard(f"{name}: {item}", limit, number, f"a number from -99 to 99, {pairs}", ordered=False)
    known = sorted({*PROCESS_ITEMS, *LOGIN_ITEMS} - set(OWN_VARIABLE))
    raise PolicyError(f"{name} has {item!r}, no item of limits.conf; allowed are {', '.join(known)}")


def _counts(name: str, value: Any) -> tuple[int, int]:
    allowed = "a whole number, or SOFT:HARD such as '65536:1048576'"
    soft, hard = read.soft_and_hard(name, value, "[1-9][0-9]{0,9}", allowed)
    return int(soft), int(hard)


@dataclass(frozen=True)
class Variables:
    login_address_space: int = variable(read.size)
    nofile: tuple[int, int] | None = variable(lambda name, value: None if value == AUTO else _counts(name, value))
    nproc: tuple[int, int] | None = variable(read.optional(_counts))
    core: int = variable(read.from_zero)
    extra: dict[str, tuple[str, str]] = variable(_extra)  #: By item, in the units of limits.conf.
    services: tuple[str, ...] = variable(read.services)
    restart_services: bool = variable()


def problems(policy: Policy) -> list[str]:
    login, most = policy.of(Variables).login_address_space, policy.of(agent_policy.Variables).memory_hard_limit
    if most <= login:
        return []
    return [
        f"agent_policy_memory_hard_limit is {format_size(most)}, above agent_limits_login_address_space, which is "
        f"{format_size(login)}; lower the first or raise the second"
    ]


def host_problems(policy: Policy, host: Host) -> list[str]:
    """Limits above what root can set on this host."""
    ours, capacity = policy.of(Variables), host.observed.capacity
    most = dict(capacity.hard_limits)
    if capacity.open_files is not None:
        most["nofile"] = capacity.open_files
    above = [
        item
        for item, (_soft, hard) in limits(ours, host.observed).items()
        if item in most and (hard is None or hard > most[item])
    ]
    return [_too_high(policy, item, most[item]) for item in above]


def _too_high(policy: Policy, item: str, most: int) -> str:
    name, number = OWN_VARIABLE.get(item, ""), most // PROCESS_ITEMS[item]
    given = policy.values[name] if name else policy.values["agent_limits_extra"][item]
    if item == "as":
        allowed = works = format_size(number * KIB)
    else:
        allowed = f"{number} {COUNTED.get(item, UNIT_NAMES[PROCESS_ITEMS[item]])}".rstrip()
        soft = str(given).partition(":")[0]
        works = str(number) if item == "core" else f"{number if read.as_number(soft) > number else soft}:{number}"
    also = f", or to {AUTO}" if item == "nofile" else ""
    return (
        f"{name or f'agent_limits_extra: {item}'} is {given}, but root can set at most {allowed} on this host, so no "
        f"agent could log in: set it to {works}{also}"
    )


def open_files(ours: Variables, observed: Observation) -> tuple[int, int]:
    """The limit of open files. auto: OPEN_FILES, or less if the host allows less."""
    most = OPEN_FILES[1] if observed.capacity.open_files is None else observed.capacity.open_files
    return ours.nofile or (min(OPEN_FILES[0], most), min(OPEN_FILES[1], most))


def limits(ours: Variables, observed: Observation) -> Limits:
    """The limits of a process, in the kernel's units."""
    found: Limits = {
        "as": [ours.login_address_space] * 2,
        "core": [ours.core * KIB] * 2,
        "nofile": list(open_files(ours, observed)),
        **({"nproc": list(ours.nproc)} if ours.nproc else {}),
    }
    for item, pair in ours.extra.items():
        if item in PROCESS_ITEMS:
            found[item] = [None if one == read.UNLIMITED else int(one) * PROCESS_ITEMS[item] for one in pair]
    return found


def pam_lines(ours: Variables, observed: Observation) -> list[str]:
    """Lines of limits.conf without the domain: "- as 67108864", "soft nofile 65536"."""
    pairs = {
        item: tuple(read.UNLIMITED if one is None else str(one // PROCESS_ITEMS[item]) for one in pair)
        for item, pair in limits(ours, observed).items()
    }
    pairs |= {item: pair for item, pair in ours.extra.items() if item in LOGIN_ITEMS}
    lines = []
    for item, (soft, hard) in pairs.items():
        lines += [f"- {item} {hard}"] if soft == hard else [f"soft {item} {soft}", f"hard {item} {hard}"]
    return lines


def systemd_lines(ours: Variables, observed: Observation) -> list[str]:
    return [f"Limit{item.upper()}={pair_text(pair, 'infinity')}" for item, pair in limits(ours, observed).items()]


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, group = policy.of(Variables), policy.of(agent_policy.Variables).group
    observed = host.observed
    options = [f"--{item}={pair_text(pair)}" for item, pair in limits(ours, observed).items()]
    service = Template("agent_limits_service_template", {"lines": systemd_lines(ours, observed)})
    units = [f"{name}.service" for name in ours.services]
    return Wanted(
        ROLE,
        entries=(
            Entry(
                FILE,
                content=Template("agent_limits_template", {"group": group, "lines": pam_lines(ours, observed)}),
                mode="0644",
                validate=TRY_SHELL + " ".join(options),
            ),
            *(drop_in(unit, "90-nova-agent.conf", service) for unit in units),
        ),
        units=tuple(Unit(unit, restart=ours.restart_services, limited=True) for unit in units),
        conditions=tuple(_conditions(ours, observed)),
        notes=tuple(_session_notes(ours, observed)),
    )


def _conditions(ours: Variables, observed: Observation) -> Iterator[Condition]:
    ways = observed.login_paths
    why = "does not use PAM, so no limit applies to logins by ssh: set UsePAM yes in /etc/ssh/sshd_config"
    yield Condition("login", "sshd", True, not ways.sshd_without_pam, why, "pam")
    for name in ways.pam_without_limits:
        why = "sets no limits: add `session required pam_limits.so`"
        yield Condition("login", f"/etc/pam.d/{name}", True, False, why, "pam")
    limited = limits(ours, observed)
    for user, login in sorted(observed.deep.logins.items()) if observed.deep else ():
        if login.error:
            yield Condition("limits", user, "", None, f"a test login failed: {login.error}")
        else:
            wrong = limits_that_differ(limited, login.limits)
            items = " ".join(item for item, pair in limited.items() if login.limits.get(item) != pair)
            yield Condition("limits", user, "", wrong, f"a new login gets {wrong}", items)


def _session_notes(ours: Variables, observed: Observation) -> Iterator[Note]:
    why = "open sessions and services still have other limits; log in again, or restart the service"
    for owner in stale_sessions(observed.sessions, limits(ours, observed)):
        yield Note("sessions", owner, why)


def stale_sessions(sessions: list[Session], wanted: Limits) -> list[str]:
    """Accounts and their number of open sessions with other limits than ``wanted``, as ["agent1 (2)", ...]."""
    counts: dict[str, int] = {}
    for session in sessions:
        if any(item in wanted and hard != wanted[item][1] for item, hard in session.limits.items()):
            counts[session.user] = counts.get(session.user, 0) + 1
    return [f"{user} ({count})" for user, count in sorted(counts.items())]
