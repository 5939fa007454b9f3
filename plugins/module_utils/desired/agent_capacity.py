# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_capacity: the limits of a host other than memory, so that all agents can work at once. Pure.

Nothing is lowered, and a value that is high enough does not change. docs/capacity.md has the reason for each number.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..observed.shapes import Capacity, Given, Observation, Setting
from . import agent_limits, agent_policy, sshd
from . import variables as read
from .policy import Host, Policy, no_problems
from .shapes import Condition, Entry, Note, Template, Unit, Wanted
from .sysctl import FILE as SYSCTL_FILE
from .sysctl import LARGEST, Raised
from .units import FOLDER, SSHD_FILE, unit_of
from .variables import variable

ROLE = "agent_capacity"
TASKS_FILE = f"{FOLDER}/user-.slice.d/90-nova-agent.conf"
LOGIND_FILE = "/etc/systemd/logind.conf.d/90-nova-agent.conf"

# The most that one agent needs.
TASKS = 4096  # processes and threads
TASKS_PER_CPU = 64  # a test pool has a thread for each CPU, and several pools run at once
SESSIONS = 8  # logins, with those of its tools
OPEN_FILES = 8192
WATCHERS = 16  # language servers and programs that watch files
KEYRINGS = 16

# The minimum for one account.
LEAST_WATCHERS, LEAST_WATCHES, WATCHES = 1024, 524_288, 16_384
LEAST_KEYS, BYTES_OF_A_KEY = 1000, 100

MAPPINGS = 262_144
TASKS_SHARE = 75  # the most that one account gets, in percent of the host's tasks: the rest is for root
DEFAULT_TASKS, DEFAULT_SESSIONS = "33%", 8192


def _is_network(value: Any) -> bool:
    try:
        return bool(ipaddress.ip_network(str(value)))
    except ValueError:
        return False


@dataclass(frozen=True)
class Variables:
    agents: int | None = variable(read.optional_count)
    kernel: bool = variable()
    sshd: bool = variable()
    controllers: tuple[str, ...] = variable(
        read.list_fitting(_is_network, "an address or a network such as 192.0.2.7 or 192.0.2.0/24")
    )
    tasks: bool = variable()
    logind: bool = variable()


problems = host_problems = no_problems


@dataclass(frozen=True)
class Demand:
    """The number of agents that a host is prepared for, and how they are distributed."""

    agents: int
    together: int  #: Agents of one account.
    cpus: int
    open_files: int  #: The hard limit of a login.


def demand_of(policy: Policy, host: Host) -> Demand:
    """The recommended number of agents, or the number of agents' accounts if it is larger: all of them can log in."""
    accounts = host.observed.accounts
    known = len({*accounts.members, *policy.of(agent_policy.Variables).users})
    agents = policy.of(Variables).agents or max(host.budget["recommended_agents"], known)
    together = 1 if policy.of(agent_policy.Variables).count_agents == agent_policy.ACCOUNTS else agents
    _soft, open_files = agent_limits.open_files(policy.of(agent_limits.Variables), host.observed)
    return Demand(agents, together, host.observed.cpus, open_files)


def settings(demand: Demand) -> dict[str, int]:
    """The minimum of each kernel setting."""
    keys = max(LEAST_KEYS, KEYRINGS * demand.together)
    needed = {
        "fs.file-max": OPEN_FILES * demand.agents,
        "fs.inotify.max_user_instances": max(LEAST_WATCHERS, WATCHERS * demand.together),
        "fs.inotify.max_user_watches": max(LEAST_WATCHES, WATCHES * demand.together),
        "fs.nr_open": demand.open_files,
        "kernel.keys.maxbytes": keys * BYTES_OF_A_KEY,
        "kernel.keys.maxkeys": keys,
        "kernel.pid_max": LARGEST["kernel.pid_max"],
        "kernel.threads-max": TASKS * demand.agents,
        "vm.max_map_count": MAPPINGS,
    }
    return {name: min(value, LARGEST[name]) for name, value in needed.items()}


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, capacity, demand = policy.of(Variables), host.observed.capacity, demand_of(policy, host)
    needed = settings(demand) if ours.kernel else {}
    raised = _raised(capacity.kernel, needed)
    sshd_lines = sshd.lines(demand.agents, demand.together, ours.controllers, capacity.sshd) if ours.sshd else {}
    most = _most_tasks(capacity, needed)
    tasks, sessions = _tasks(demand, capacity, most), _sessions(demand, capacity.sessions)
    entries = []
    if raised:
        context = {"agents": demand.agents, "settings": [asdict(one) for one in raised]}
        entries.append(Entry(SYSCTL_FILE, content=Template("agent_capacity_sysctl_template", context), mode="0644"))
    if sshd_lines and capacity.sshd.drop_ins:
        context = {"agents": demand.agents, "lines": sshd_lines}
        content = Template("agent_capacity_sshd_template", context)
        entries.append(Entry(SSHD_FILE, content=content, mode="0644", validate=sshd.TRY))
    if ours.tasks and tasks:
        users = Template("agent_capacity_users_template", {"tasks_max": tasks})
        entries.append(Entry(TASKS_FILE, content=users, mode="0644"))
    if ours.logind and sessions:
        logind = Template("agent_capacity_logind_template", {"sessions_max": sessions})
        entries.append(Entry(LOGIND_FILE, content=logind, mode="0644"))
    paths = {entry.path for entry in entries}
    return Wanted(
        ROLE,
        tuple(entries),
        _units(paths, host.observed),
        (
            *_kernel_conditions(capacity.kernel, raised),
            *put_back(capacity, {one.name for one in raised}),
            *(sshd.conditions(capacity.sshd) if SSHD_FILE in paths else ()),
            *(_overridden(TASKS_FILE, "TasksMax", capacity.user_tasks) if TASKS_FILE in paths else ()),
            *(_fewer_tasks(demand, capacity.own_tasks, most) if ours.tasks else ()),
            *(_overridden(LOGIND_FILE, "SessionsMax", capacity.sessions) if LOGIND_FILE in paths else ()),
        ),
        tuple(_notes(ours, demand, capacity, needed, sshd_lines)),
    )


def retired(observed: Observation) -> Wanted:
    """The desired state if the role is removed: no file, the previous values, and reloaded services."""
    return Wanted(ROLE, units=_units(set(), observed), conditions=tuple(put_back(observed.capacity)))


def _units(paths: set[str], observed: Observation) -> tuple[Unit, ...]:
    """The services that read a file of the role, also a file that is removed."""
    record = observed.manifest.roles.get(ROLE)
    known = paths | (set(record.paths) if record else set())
    return tuple(Unit(unit_of(path), reload=True) for path in (SSHD_FILE, LOGIND_FILE) if path in known)


# Kernel


def _raised(kernel: Mapping[str, Setting], needed: Mapping[str, int]) -> list[Raised]:
    found = []
    for name, least in sorted(needed.items()):
        setting = kernel.get(name)
        if setting is None or not setting.writable:
            continue
        before = setting.now if setting.before is None else setting.before
        others = setting.now not in (setting.ours, setting.before) and setting.now > before  # somebody else raised it
        if max(before, setting.now if others else 0) < least:
            found.append(Raised(name, max(least, setting.earlier or 0), before))
    return found


def _kernel_conditions(kernel: Mapping[str, Setting], raised: list[Raised]) -> Iterator[Condition]:
    for one in raised:
        setting = kernel[one.name]
        if setting.later:
            why = (
                f"is {setting.now}, but {setting.later} sets less than {one.value} after {SYSCTL_FILE}: remove it there"
            )
            yield Condition("kernel", one.name, True, False, why, "value", by_hand=True)
            continue
        # A higher value does not change, unless an earlier apply set it.
        found = setting.now if setting.now == setting.ours else min(setting.now, one.value)
        why = f"is {setting.now}, but {one.value} is needed"
        yield Condition("kernel", one.name, one.value, found, why, "value", setting=True)


def put_back(capacity: Capacity, kept: set[str] | frozenset[str] = frozenset()) -> Iterator[Condition]:
    """Settings that an earlier apply raised and that are no longer wanted."""
    for name, setting in sorted(capacity.kernel.items()):
        if setting.ours is None or setting.before is None or name in kept or not setting.writable:
            continue
        if setting.now == setting.ours != setting.before:  # otherwise somebody changed it
            why = f"is {setting.now}, which is no longer wanted; it was {setting.before}"
            yield Condition("kernel", name, setting.before, setting.now, why, "value", setting=True)


# systemd


def _most_tasks(capacity: Capacity, needed: Mapping[str, int]) -> int:
    """Processes and threads of the whole host, after the kernel's settings are raised; 0 if not known."""
    most, pids = capacity.most_tasks or 0, capacity.kernel.get("kernel.pid_max")
    if pids and pids.writable and most == pids.now and "kernel.pid_max" in needed:
        threads = capacity.kernel.get("kernel.threads-max")
        most = min(needed["kernel.pid_max"], threads.now if threads else LARGEST["kernel.threads-max"])
    return most


def _least_tasks(demand: Demand, most: int) -> int:
    return min(max(TASKS, TASKS_PER_CPU * demand.cpus) * demand.together, most * TASKS_SHARE // 100)


def _tasks(demand: Demand, capacity: Capacity, most: int) -> str:
    """TasksMax of an account's slice; empty if the host's value is high enough."""
    least = _least_tasks(demand, most)
    theirs = [given for given in capacity.user_tasks if given.path != TASKS_FILE]
    value = theirs[-1].value if theirs else DEFAULT_TASKS
    return str(least) if _in_tasks(value, most) < least else ""


def _in_tasks(value: str, most: int) -> int:
    """A value of TasksMax as a number."""
    if value == "infinity":
        return most
    share = re.fullmatch(r"([0-9]{1,3})(?:\.[0-9]+)?%", value)
    return most * int(share[1]) // 100 if share else sshd.count(value, 0)


def _fewer_tasks(demand: Demand, own: Mapping[str, Given], most: int) -> Iterator[Condition]:
    """Accounts for which a file of their own slice allows too little."""
    for user, given in sorted(own.items()):
        if _in_tasks(given.value, most) < _least_tasks(demand, most):
            why = f"is {given.value} in {given.path}, which is read after the files for all accounts: remove it there"
            yield Condition("systemd", f"TasksMax of {user}", True, False, why, "value", by_hand=True)


def _sessions(demand: Demand, given: list[Given]) -> int | None:
    """SessionsMax of logind; None if the host's value is high enough."""
    theirs = [one for one in given if one.path != LOGIND_FILE]
    has = sshd.count(theirs[-1].value, DEFAULT_SESSIONS) if theirs else DEFAULT_SESSIONS
    least = SESSIONS * demand.agents
    return least if has < least else None


def _overridden(path: str, key: str, given: list[Given]) -> Iterator[Condition]:
    """A value of the role's file that a later file overrides."""
    if path in {one.path for one in given} and given[-1].path != path:
        last = given[-1]
        why = f"is {last.value} in {last.path}, which is read after {path}: remove it there"
        yield Condition("systemd", key, True, False, why, "value", by_hand=True)


def _notes(
    ours: Variables, demand: Demand, capacity: Capacity, needed: Mapping[str, int], sshd_lines: Mapping[str, str]
) -> Iterator[Note]:
    kernel = capacity.kernel
    short = [
        f"{name}={least} (has {kernel[name].now})"
        for name, least in sorted(needed.items())
        if name in kernel and not kernel[name].writable and kernel[name].now < least
    ]
    if short:
        text = f"a container can't set them; set them on the machine that runs it: {', '.join(short)}"
        yield Note("kernel", "settings", text)
    if ours.sshd:
        yield from sshd.notes(capacity.sshd, demand.agents, sshd_lines, ours.controllers)
