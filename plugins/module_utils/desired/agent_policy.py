# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_policy: the shared variables, the agents' accounts, and the requirements for a host. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from ..account_names import NEW_NAME
from ..budget.arithmetic import SMALLEST_PER_AGENT
from ..observed.shapes import Accounts, AccountsRecord, Observation, Platform
from ..sizes import MIB, format_size, readable_size
from . import variables as read
from .policy import Host, Policy
from .shapes import Condition, Entry, Note, Wanted
from .units import how_to_remove
from .variables import variable

ROLE = "agent_policy"
ACCOUNTS, SESSIONS, PROCESSES = "accounts", "sessions", "processes"  # the ways to count agents
RECORD = "/var/lib/nova-agent/accounts.json"
OLDEST = {"ubuntu": "22.04", "debian": "12"}
OVERCOMMIT_NEVER = 2
PROGRAM = r"[^\s/]{1,15}"  # the kernel keeps 15 characters
SHM_WORTH_REPORTING = 256 * MIB


@dataclass(frozen=True)
class Variables:
    group: str = variable(read.group)
    users: tuple[str, ...] = variable(read.accounts)
    create_users: bool = variable()
    allow_privileged_users: bool = variable()
    prefix: str = variable(read.prefix)
    rust_channel: str = variable(read.channel)
    memory_per_agent: int = variable(read.size)
    memory_hard_limit: int = variable(read.size)
    system_reserve: int | None = variable(read.optional_size)
    headroom: int | None = variable(read.optional_size)
    recommended_agents: int | None = variable(read.optional_count)
    count_agents: str = variable()
    agent_programs: tuple[str, ...] = variable(
        read.list_matching(PROGRAM, "a program's name as `ps -o comm` shows it, such as claude")
    )


@dataclass(frozen=True)
class AccountPlan:
    """The changes that are needed so that exactly the agents are members of the group."""

    group: bool  #: Create the group.
    users: list[str]  #: Accounts to create.
    members: list[str]  #: Accounts to put into the group.
    leavers: list[tuple[str, str]]  #: Account and group: memberships of earlier applies that are no longer wanted.
    record: AccountsRecord  #: What this apply and earlier ones created and did not remove yet.

    @property
    def pending(self) -> bool:
        return bool(self.group or self.users or self.members or self.leavers)


def account_plan(accounts: Accounts, group: str | None, users: tuple[str, ...]) -> AccountPlan:
    """Compare the accounts of a host with the policy. Without a group (retire) all members leave."""
    earlier = accounts.record
    create_group = group is not None and accounts.group_id is None
    missing = [name for name in users if not accounts.users[name].exists]
    outside = [name for name in users if group not in accounts.users[name].groups]
    leavers = [
        (name, joined)
        for joined, names in earlier.members.items()
        for name in names
        if name in accounts.memberships.get(joined, []) and not (joined == group and name in users)
    ]
    ours = [name for name in users if name in outside or name in earlier.members.get(group or "", [])]
    members = {group: sorted(ours)} if group is not None and ours else {}
    for name, joined in leavers:
        members[joined] = sorted({*members.get(joined, []), name})
    record = AccountsRecord(
        sorted({*earlier.groups, *([group] if create_group and group else [])}),
        sorted({*earlier.users, *missing}),
        members,
    )
    return AccountPlan(create_group, missing, outside, leavers, record)


def plan_of(policy: Policy, observed: Observation) -> AccountPlan:
    ours = policy.of(Variables)
    return account_plan(observed.accounts, ours.group, ours.users)


def after_leaving(policy: Policy, observed: Observation) -> Observation:
    """The observation after a run has removed accounts that are no longer listed from their groups."""
    gone, accounts = plan_of(policy, observed).leavers, observed.accounts
    memberships = {
        group: [name for name in names if (name, group) not in gone] for group, names in accounts.memberships.items()
    }
    return replace(observed, accounts=replace(accounts, memberships=memberships))


def problems(policy: Policy) -> list[str]:
    """512M <= per agent <= hard limit."""
    ours = policy.of(Variables)
    found = []
    if ours.memory_per_agent < SMALLEST_PER_AGENT:
        found.append(
            f"agent_policy_memory_per_agent is {format_size(ours.memory_per_agent)}: "
            f"rustc fails below {format_size(SMALLEST_PER_AGENT)}, the allowed minimum"
        )
    if ours.memory_per_agent > ours.memory_hard_limit:
        found.append(
            f"agent_policy_memory_per_agent is {format_size(ours.memory_per_agent)}, above "
            f"agent_policy_memory_hard_limit, which is {format_size(ours.memory_hard_limit)}; lower the first or raise "
            "the second"
        )
    if ours.count_agents == PROCESSES and not ours.agent_programs:
        found.append("agent_policy_count_agents is processes: list the agents' programs in agent_policy_agent_programs")
    return found


def running_agents(ours: Variables, observed: Observation) -> int:
    """The number of running agents, as agent_policy_count_agents counts them."""
    if ours.count_agents == PROCESSES:
        return sum(observed.programs.values())
    logins = [session for session in observed.sessions if not session.unit.startswith("user@")]
    return len(logins) if ours.count_agents == SESSIONS else len({session.user for session in logins})


def host_problems(policy: Policy, host: Host) -> list[str]:
    return basic_problems(policy, host.observed)


def basic_problems(policy: Policy, observed: Observation) -> list[str]:
    """Problems of a host that do not depend on the budget."""
    ours = policy.of(Variables)
    return [*_platform_problems(observed.platform), *_account_problems(observed.accounts, ours)]


def _platform_problems(platform: Platform) -> Iterator[str]:
    name = platform.ids[0]
    if not OLDEST.keys() & set(platform.ids) or _is_older(platform.version, OLDEST.get(name, "")):
        yield f"the host runs {name} {platform.version}; needed is Ubuntu 22.04 or newer, or Debian 12 or newer"
    if not platform.systemd:
        yield "the host was not booted with systemd (/run/systemd/system is missing): boot it with systemd as PID 1"
    if platform.uid != 0:
        yield f"the play runs as uid {platform.uid}, but it needs root: set become: true, without become_user"


def _is_older(version: str, oldest: str) -> bool:
    numbers = [[int(number) for number in re.findall(r"\d+", text)] for text in (version, oldest)]
    return bool(numbers[0]) and numbers[0] < numbers[1]  # Debian testing has no version number


def _account_problems(accounts: Accounts, ours: Variables) -> Iterator[str]:
    missing = [name for name in ours.users if not accounts.users[name].exists]
    if missing and not ours.create_users:
        yield (
            f"agent_policy_users has {', '.join(missing)}, which the host does not have: create it, or set "
            "agent_policy_create_users: true"
        )
    unfit = [name for name in missing if not NEW_NAME.fullmatch(name)]
    if unfit and ours.create_users:
        yield (
            f"agent_policy_users has {', '.join(unfit)}, which the host does not have, and useradd refuses this name: "
            "create it first, or use a name of lower-case letters, digits, _ and -"
        )
    if accounts.group_id is None and not NEW_NAME.fullmatch(ours.group):
        yield (
            f"agent_policy_group is {ours.group}, no group of the host, and groupadd refuses such a name: create it "
            "first, or name it with lower-case letters, digits, _ and -"
        )
    outside = [name for name in ours.users if ours.group not in accounts.users[name].groups]
    if outside and accounts.group_id is not None and not accounts.group_is_local:
        yield (
            f"agent_policy_group is {ours.group}, a group of a directory service, to which this host can't add "
            f"{', '.join(outside)}: add the accounts there, or use a group of the host"
        )
    protected = {"root", accounts.login_user}
    caught = sorted(protected & {*ours.users, *accounts.members})
    if caught and not ours.allow_privileged_users:
        yield (
            f"the agents' limits would apply to {' and '.join(caught)}, which is root or the account that the play "
            f"logs in with: remove it from group {ours.group}, or set agent_policy_allow_privileged_users: true"
        )


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, plan = policy.of(Variables), plan_of(policy, host.observed)
    recommended = host.budget["recommended_agents"]
    record = json.dumps(asdict(plan.record), indent=4, sort_keys=True) + "\n"
    return Wanted(
        ROLE,
        # Hundreds of names, which the tasks for the accounts report.
        entries=(Entry(RECORD, content=record, mode="0644", diff=False),),
        conditions=tuple(_conditions(ours, plan)),
        notes=(
            *(Note("fence", text.split(" ", 1)[0], text) for text in fence_notes(host.observed)),
            *(Note("agents", "running", text) for text in crowd_notes(ours, host.observed, recommended)),
        ),
    )


def _conditions(ours: Variables, plan: AccountPlan) -> Iterator[Condition]:
    yield Condition("group", ours.group, True, not plan.group, "does not exist")
    for name in ours.users:
        yield Condition("account", name, True, name not in plan.users, "does not exist")
        yield Condition("member", f"{name} in {ours.group}", True, name not in plan.members, "is no member")
    for name, group in plan.leavers:
        yield Condition("member", f"{name} in {group}", False, True, "is a member, but is no longer listed")


def crowd_notes(ours: Variables, observed: Observation, recommended: int) -> list[str]:
    running = running_agents(ours, observed)
    if running <= recommended:
        return []
    return [
        f"{running} agents run, counted by {ours.count_agents}, and {recommended} are recommended: do not start more, "
        "or lower agent_policy_memory_per_agent"
    ]


def fence_notes(observed: Observation) -> list[str]:
    """Settings of this host with which agents can use more memory than the limits allow."""
    notes = []
    fences, swap = observed.fences, observed.memory["swap"]
    if swap:
        notes.append(
            f"swap is on ({readable_size(swap)}): a host without free memory then becomes very slow instead of killing "
            "a process; turn it off with `swapoff --all`, and remove it from /etc/fstab"
        )
    if fences.overcommit_memory == OVERCOMMIT_NEVER:
        notes.append(
            "vm.overcommit_memory is 2: the kernel counts address space that builds reserve but do not use, so "
            "allocations fail early; set it with `sysctl -w vm.overcommit_memory=0`, and in the file that sets it: "
            "`grep -r overcommit_memory /etc/sysctl.conf /etc/sysctl.d`"
        )
    if fences.container_users:
        notes.append(
            f"{', '.join(fences.container_users)} may start containers, to which the agents' limits do not apply: "
            "remove the accounts from that group"
        )
    if fences.shm_used > SHM_WORTH_REPORTING:
        notes.append(
            f"files in /dev/shm use {readable_size(fences.shm_used)} of memory, to which no limit of a process "
            "applies: remove them"
        )
    if fences.oomd:
        notes.append(
            f"systemd-oomd kills whole sessions when memory is short, because {', '.join(fences.oomd)} turns this on: "
            "stop it with `systemctl disable --now systemd-oomd`"
        )
    notes += [
        f"{', '.join(paths)} overrides values of this collection for {unit}: {how_to_remove(unit, paths)}"
        for unit, paths in sorted(fences.overrides.items())
    ]
    return notes
