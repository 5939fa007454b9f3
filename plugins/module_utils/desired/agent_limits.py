# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Feature of role agent_limits: the limits of agents' logins and of services that run agents. Pure.

Each limit is stored once, in the kernel's unit. limits.conf has sizes in KiB and CPU time in minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..compare.units import limits_that_differ
from ..observed.shapes import Limits, Observation, Session
from ..sizes import KIB, format_size
from . import agent_policy
from . import variables as read
from .policy import Host, Policy
from .shapes import Condition, Entry, Note, Template, Unit, Wanted
from .unit_files import drop_in
from .variables import PolicyError, SoftHard, variable

ROLE = "agent_limits"
FILE = "/etc/security/limits.d/90-nova-agent.conf"
UNLIMITED = "unlimited"
MINUTE = 60
AUTO = "auto"
OPEN_FILES = SoftHard(65_536, 1_048_576)  # the value of auto, if the host allows it

# Items of limits.conf that limit a process, with the kernel's units in one of limits.conf. systemd calls them Limit and
# the item in capitals, prlimit the item itself.
PROCESS_ITEMS = {
    "as": KIB,
    "core": KIB,
    "cpu": MINUTE,
    "data": KIB,
    "fsize": KIB,
    "locks": 1,
    "memlock": KIB,
    "msgqueue": 1,
    "nofile": 1,
    "nproc": 1,
    "rss": KIB,
    "rtprio": 1,
    "sigpending": 1,
    "stack": KIB,
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

_VALUE = re.compile(r"0|[1-9][0-9]{0,14}|unlimited")
_SIGNED = re.compile(r"-?(0|[1-9][0-9]?)")

# Starts a shell as nobody with the new limits. If it fails, no agent could log in.
TRY_SHELL = (
    '/bin/sh -c \'prlimit "$@" setpriv --reuid=65534 --regid=65534 --clear-groups '
    '/bin/sh -c "exec /bin/sh -c true" || '
    '{ echo "no shell starts with $*, so no agent could log in: raise that limit in agent_limits_nofile or _extra" '
    ">&2; exit 1; }' sh "
)


class Extra(NamedTuple):
    """One limit of agent_limits_extra, in the units of limits.conf."""

    item: str
    soft: str
    hard: str


def _extra(name: str, value: Mapping[str, Any]) -> tuple[Extra, ...]:
    return tuple(_extra_limit(name, item, limit) for item, limit in sorted(value.items()))


def _extra_limit(name: str, item: str, limit: Any) -> Extra:
    if item in OWN_VARIABLE:
        raise PolicyError(f"{name} has {item}, which has a variable of its own: set {OWN_VARIABLE[item]}")
    if item not in PROCESS_ITEMS and item not in LOGIN_ITEMS:
        known = sorted({*PROCESS_ITEMS, *LOGIN_ITEMS} - set(OWN_VARIABLE))
        raise PolicyError(f"{name} has {item!r}, no item of limits.conf; allowed are {', '.join(known)}")
    read.refuse_base_60(f"{name}: {item}", limit)
    parts = str(limit).split(":")
    pattern = _SIGNED if item in LOGIN_ITEMS else _VALUE
    if len(parts) > 2 or not all(pattern.fullmatch(part) for part in parts):
        allowed = "a number from -99 to 99" if pattern is _SIGNED else "a whole number, unlimited"
        raise PolicyError(f"{name}: {item} is {limit!r}; allowed is {allowed}, or SOFT:HARD of these in quotes")
    if pattern is _VALUE and _number(parts[0]) > _number(parts[-1]):
        raise PolicyError(f"{name}: {item} is {limit!r}: the soft limit is above the hard limit")
    return Extra(item, parts[0], parts[-1])


def _number(value: str) -> float:
    return float("inf") if value == UNLIMITED else int(value)


def _open_files(name: str, value: Any) -> SoftHard | None:
    return None if value == AUTO else read.soft_and_hard(name, value)


@dataclass(frozen=True)
class Variables:
    login_address_space: int = variable(read.size)
    nofile: SoftHard | None = variable(_open_files)  #: None: auto.
    nproc: SoftHard = variable(read.soft_and_hard)
    core: int = variable(read.from_zero)
    extra: tuple[Extra, ...] = variable(_extra)
    services: tuple[str, ...] = variable(read.services)
    restart_services: bool = variable(read.boolean)


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
        works = str(number) if item == "core" else f"{number if _number(soft) > number else soft}:{number}"
    also = f", or to {AUTO}" if item == "nofile" else ""
    return (
        f"{name or f'agent_limits_extra: {item}'} is {given}, but root can set at most {allowed} on this host, so no "
        f"agent could log in: set it to {works}{also}"
    )


def open_files(ours: Variables, observed: Observation) -> SoftHard:
    """The limit of open files. auto: OPEN_FILES, or less if the host allows less."""
    if ours.nofile is not None:
        return ours.nofile
    most = observed.capacity.open_files
    return OPEN_FILES if most is None else SoftHard(*(min(value or most, most) for value in OPEN_FILES))


def limits(ours: Variables, observed: Observation) -> Limits:
    """The limits of a process, in the kernel's units."""
    found: Limits = {"as": [ours.login_address_space] * 2, "core": [ours.core * KIB] * 2}
    for item, pair in (("nofile", open_files(ours, observed)), ("nproc", ours.nproc)):
        if pair.soft is not None:
            found[item] = list(pair)
    for extra in ours.extra:
        if extra.item in PROCESS_ITEMS:
            found[extra.item] = [_kernel(extra.item, value) for value in (extra.soft, extra.hard)]
    return found


def _kernel(item: str, value: str) -> int | None:
    return None if value == UNLIMITED else int(value) * PROCESS_ITEMS[item]


def pam_lines(ours: Variables, observed: Observation) -> list[str]:
    """Lines of limits.conf without the domain: "- as 67108864", "soft nofile 65536"."""
    lines = []
    for item, (soft, hard) in limits(ours, observed).items():
        unit = PROCESS_ITEMS[item]
        lines += _lines(item, *(UNLIMITED if value is None else str(value // unit) for value in (soft, hard)))
    for extra in ours.extra:
        if extra.item in LOGIN_ITEMS:
            lines += _lines(*extra)
    return lines


def _lines(item: str, soft: str, hard: str) -> list[str]:
    return [f"- {item} {hard}"] if soft == hard else [f"soft {item} {soft}", f"hard {item} {hard}"]


def systemd_lines(ours: Variables, observed: Observation) -> list[str]:
    return [f"Limit{item.upper()}={_pair(pair, 'infinity')}" for item, pair in limits(ours, observed).items()]


def _pair(values: list[int | None], unlimited: str) -> str:
    soft, hard = (unlimited if value is None else str(value) for value in values)
    return soft if soft == hard else f"{soft}:{hard}"


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, group = policy.of(Variables), policy.of(agent_policy.Variables).group
    observed = host.observed
    options = [f"--{item}={_pair(pair, UNLIMITED)}" for item, pair in limits(ours, observed).items()]
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
