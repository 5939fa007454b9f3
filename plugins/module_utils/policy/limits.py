# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The limits of an agent's login, in the three notations that a host reads: limits.conf, systemd's and prlimit's.

Pure. Each limit is held once, in the kernel's unit; limits.conf counts sizes in KiB and CPU time in minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.nova.agent_host.plugins.module_utils.sizes import KIB, parse_size

UNLIMITED = "unlimited"
MINUTE = 60

# Items of limits.conf that are resource limits of a process, with the kernel's units in one of limits.conf. Their name
# in systemd is Limit and the item in capitals, that of prlimit the item itself.
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
# Items that PAM alone knows: a service has no login to count.
LOGIN_ITEMS = ("maxlogins", "maxsyslogins", "nice", "priority")
OWN_VARIABLE = {
    "as": "agent_limits_login_address_space",
    "core": "agent_limits_core",
    "nofile": "agent_limits_nofile",
    "nproc": "agent_limits_nproc",
}

_VALUE = re.compile(r"0|[1-9][0-9]{0,14}|unlimited")
_SIGNED = re.compile(r"-?(0|[1-9][0-9]?)")


class LimitsError(ValueError):
    """A limit that can't be meant; the message names the variable, what it held and what is allowed."""


class Limit(NamedTuple):
    """One line's worth: item, soft and hard value as limits.conf has them."""

    item: str
    soft: str
    hard: str


def login_limits(address_space: str, core: int, nofile: str, nproc: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The limits in every notation: ``{"pam": ["- as 67108864", ...], "systemd": ["LimitAS=68719476736", ...],
    "prlimit": ["--as=68719476736", ...], "kernel": {"as": [soft, hard], ...}}``; None in ``kernel`` is no limit."""
    limits = [
        _limit("as", str(parse_size(address_space, OWN_VARIABLE["as"]) // KIB)),
        _limit("core", str(core)),
        _limit("nofile", nofile),
        *([_limit("nproc", nproc)] if nproc else []),
        *(_limit(item, value) for item, value in sorted(extra.items())),
    ]
    of_processes = {limit.item: _kernel(limit) for limit in limits if limit.item in PROCESS_ITEMS}
    return {
        "pam": [line for limit in limits for line in _pam(limit)],
        "systemd": [f"Limit{item.upper()}={_pair(values, 'infinity')}" for item, values in of_processes.items()],
        "prlimit": [f"--{item}={_pair(values, UNLIMITED)}" for item, values in of_processes.items()],
        "kernel": of_processes,
    }


def check_extra(name: str, value: Mapping[str, Any]) -> None:
    """Raise LimitsError where ``value`` (item to number, ``unlimited`` or SOFT:HARD) has what limits.conf has not."""
    for item, limit in value.items():
        if item in OWN_VARIABLE:
            raise LimitsError(f"{name} has {item}, which has a variable of its own: set {OWN_VARIABLE[item]}")
        if item not in PROCESS_ITEMS and item not in LOGIN_ITEMS:
            known = sorted({*PROCESS_ITEMS, *LOGIN_ITEMS} - set(OWN_VARIABLE))
            raise LimitsError(f"{name} has {item!r}, no item of limits.conf; allowed are {', '.join(known)}")
        parts = str(limit).split(":")
        pattern = _SIGNED if item in LOGIN_ITEMS else _VALUE
        if len(parts) > 2 or not all(pattern.fullmatch(part) for part in parts):
            allowed = "a number from -99 to 99" if pattern is _SIGNED else "a whole number, unlimited"
            raise LimitsError(f"{name}: {item} is {limit!r}; allowed is {allowed}, or SOFT:HARD of these")
        if pattern is _VALUE and _number(parts[0]) > _number(parts[-1]):
            raise LimitsError(f"{name}: {item} is {limit!r}: the soft limit is above the hard one")


def _number(value: str) -> float:
    return float("inf") if value == UNLIMITED else int(value)


def _limit(item: str, value: Any) -> Limit:
    parts = str(value).split(":")
    return Limit(item, parts[0], parts[-1])


def _pam(limit: Limit) -> list[str]:
    if limit.soft == limit.hard:
        return [f"- {limit.item} {limit.hard}"]
    return [f"soft {limit.item} {limit.soft}", f"hard {limit.item} {limit.hard}"]


def _kernel(limit: Limit) -> list[int | None]:
    unit = PROCESS_ITEMS[limit.item]
    return [None if value == UNLIMITED else int(value) * unit for value in (limit.soft, limit.hard)]


def _pair(values: list[int | None], unlimited: str) -> str:
    soft, hard = (unlimited if value is None else str(value) for value in values)
    return soft if soft == hard else f"{soft}:{hard}"
