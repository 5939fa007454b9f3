# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The result of one look at a host. Sizes are bytes.

The module agent_host_info fills these shapes on the host. On the controller ``decode`` reads them. Other parts of the
answer are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, TypedDict

from ..host.memory import HostMemory
from ..state.manifest import Manifest
from ..state.paths import PathState
from ..warm.seed import Seed

HIERARCHIES = ("unified", "hybrid", "legacy")
Limits = dict[
    str, list[Optional[int]]
]  #: By item of limits.conf: soft and hard in the kernel's unit; None is no limit.

LONGEST_VERSION = 100
LONGEST_VALUE = 1000  # Python makes no number of 4,300 digits


def _check_pairs(limits: Limits) -> None:
    for item, pair in limits.items():
        if len(pair) != 2:
            raise ValueError(f"the limit {item} has {len(pair)} numbers, not a soft and a hard one")


@dataclass(frozen=True)
class Platform:
    ids: list[str]  #: ID and ID_LIKE of os-release, such as [ubuntu, debian].
    version: str  #: Such as 24.04; empty for Debian's testing.
    architecture: str  #: Such as x86_64.
    systemd: bool  #: Booted with systemd.
    python: str
    uid: int  #: Of the module.

    def __post_init__(self) -> None:
        if not self.ids or len(self.version) > LONGEST_VERSION:
            raise ValueError("ids is empty, or version is too long")


@dataclass(frozen=True)
class Account:
    exists: bool
    groups: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AccountsRecord:
    """What earlier applies created: groups, users, and memberships."""

    groups: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Accounts:
    group_id: Optional[int]  #: None: there is no such group.
    group_is_local: bool  #: In /etc/group, so that accounts can be added on the host.
    members: list[str]  #: Of the agents' group, with those whose primary group it is.
    users: dict[str, Account]  #: The accounts of agent_policy_users.
    login_user: str  #: The account that the play logs in with.
    record: AccountsRecord
    memberships: dict[str, list[str]]  #: Current members of the groups in the record, without primary groups.


@dataclass(frozen=True)
class Fences:
    """Settings of a host that can defeat a memory limit."""

    overcommit_memory: int  #: The kernel's mode.
    shm_used: int  #: Bytes in /dev/shm.
    container_users: list[str]  #: Agents that may start containers, as "agent1 (docker)".
    oomd: list[str] = field(default_factory=list)  #: Files with which systemd-oomd kills sessions of users.
    #: Files that override drop-ins of ours, by unit.
    overrides: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class LoginPaths:
    """Login paths on which PAM sets no limits."""

    sshd_without_pam: bool
    pam_without_limits: list[str]  #: PAM services, such as atd.


@dataclass(frozen=True)
class Setting:
    """One kernel setting."""

    now: int
    writable: bool  #: False in most containers, where the setting belongs to the machine.
    ours: Optional[int] = None  #: The value in the collection's file.
    before: Optional[int] = None  #: The value before the first apply, from the collection's file.
    earlier: Optional[int] = None  #: The value in another file, which is read before the collection's file.
    later: str = ""  #: Another file that sets a lower value after the collection's file.


@dataclass(frozen=True)
class Given:
    """A value in a configuration file."""

    path: str
    value: str

    def __post_init__(self) -> None:
        if len(self.value) > LONGEST_VALUE:
            raise ValueError(f"a value in {self.path} is longer than {LONGEST_VALUE} characters")


@dataclass(frozen=True)
class Sshd:
    version: str = ""  #: Version of its package, such as 9.2; empty: the host has no sshd.
    drop_ins: bool = False  #: Whether it reads /etc/ssh/sshd_config.d.
    settings: dict[str, list[Given]] = field(
        default_factory=dict
    )  #: By keyword in lower case, in the order of reading: the first one is in force.

    def __post_init__(self) -> None:
        if len(self.version) > LONGEST_VERSION:
            raise ValueError(f"version is longer than {LONGEST_VERSION} characters")


@dataclass(frozen=True)
class Capacity:
    """The limits on the number of agents other than memory."""

    kernel: dict[str, Setting] = field(default_factory=dict)
    open_files: Optional[int] = None  #: The most that root can set for a login; None: not known.
    most_tasks: Optional[int] = None  #: Processes and threads of the host, the base of systemd's percentages.
    user_tasks: list[Given] = field(default_factory=list)  #: TasksMax of users' slices; the last one is in force.
    sessions: list[Given] = field(default_factory=list)  #: SessionsMax of logind; the last one is in force.
    sshd: Sshd = field(default_factory=Sshd)
    own_tasks: dict[str, Given] = field(default_factory=dict)  #: By account: TasksMax in a file of its own slice.
    hard_limits: dict[str, int] = field(default_factory=dict)  #: Other limits of root, if root can't raise them.


@dataclass(frozen=True)
class Session:
    """A unit in which an agent has processes, with the hard limits of the least limited one; None is no limit."""

    user: str
    unit: str
    limits: dict[str, Optional[int]]  #: as, nofile.


@dataclass(frozen=True)
class Usage:
    """Memory of user.slice, which contains all sessions."""

    memory_max: Optional[int]
    swap_max: Optional[int]
    in_use: int  #: Without memory that the kernel can reclaim.


@dataclass(frozen=True)
class Ceiling:
    systemd: int  #: Its version; 0: not known.
    hierarchy: str  #: unified, hybrid or legacy.
    controllers: list[str]
    users: Optional[Usage]  #: None: not known.
    services: list[str]  #: Services in system.slice.
    administrators: dict[str, int]  #: Name to uid.

    def __post_init__(self) -> None:
        if self.hierarchy not in HIERARCHIES:
            raise ValueError(f"hierarchy is none of {', '.join(HIERARCHIES)}")


@dataclass(frozen=True)
class UnitState:
    """The state of a unit in systemd."""

    load: str
    enabled: str
    active: str
    result: str
    stale: bool  #: Its files changed since systemd read them.
    drop_ins: list[str] = field(default_factory=list)
    limits: Limits = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_pairs(self.limits)


NOT_KNOWN = UnitState(load="unknown", enabled="", active="unknown", result="", stale=False)  #: systemd does not answer.


@dataclass(frozen=True)
class InstalledToolchain:
    name: str
    channel: str
    version: str = ""
    profile: str = ""
    components: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    sha256: str = ""  #: Of the channel's manifest; empty if the policy named none.


@dataclass(frozen=True)
class ToolchainTree:
    present: bool
    request: str  #: The request of the installation, as JSON with sorted keys; empty without a receipt.
    toolchains: list[InstalledToolchain]
    problems: list[str]
    in_use: list[str]  #: Old generations in which programs still run.
    busy: bool = False  #: An installation runs now.


@dataclass(frozen=True)
class FileSystem:
    """Space for accounts other than root."""

    size: int
    free: int
    free_share: int  #: Hundredths of a percent, of bytes or inodes: the smaller one.

    def __post_init__(self) -> None:
        if not 0 <= self.free <= self.size or not 0 <= self.free_share <= 10_000:
            raise ValueError("the size of a file system, or what is free of it, is impossible")


@dataclass(frozen=True)
class AuditLogFinding:
    path: str
    kind: str
    text: str


@dataclass(frozen=True)
class Login:
    """The limits of a new session of an account, or the reason why they are not known."""

    limits: Limits = field(default_factory=dict)
    error: str = ""

    def __post_init__(self) -> None:
        _check_pairs(self.limits)


class Spread(TypedDict):
    """Milliseconds: the median and the 95th percentile."""

    p50: int
    p95: int


class Waits(TypedDict):
    """Of the last day. Each account has the same weight."""

    commands: int  #: Number of records.
    accounts: int
    slot: Spread  #: Time that commands waited for a slot.
    memory: Spread  #: Time in which at least one process of a command waited for memory.
    ran: Spread  #: Time from start to end, without the wait for a slot.
    seeded: int  #: Commands that copied a seed.
    hit_share: int  #: Commands in which a process died at its cap, per thousand.


@dataclass(frozen=True)
class Deep:
    """Facts that need extra processes. Only audits look at them."""

    logins: dict[str, Login]
    own_rustups: dict[str, list[str]]  #: Paths of toolchains that agents installed, by account.
    waits: Optional[Waits] = None  #: How long agents wait; None: no wrapped command has left a record.


@dataclass(frozen=True)
class Observation:
    """One look at a host."""

    memory: HostMemory
    cpus: int
    platform: Platform
    accounts: Accounts
    packages: dict[str, bool]
    fences: Fences
    login_paths: LoginPaths
    sessions: list[Session]
    ceiling: Ceiling
    manifest: Manifest
    record: dict[str, PathState]  #: The manifest, its folder and the originals, if they exist.
    files: dict[str, PathState]  #: Every path of the manifest, and every path that was asked for.
    toolchains: dict[str, ToolchainTree]
    units: dict[str, UnitState]
    audit_logs: list[AuditLogFinding]
    #: By cpu, io, memory: hundredths of a percent of the last minute in which some process waited.
    pressure: dict[str, int] = field(default_factory=dict)
    disks: dict[str, FileSystem] = field(default_factory=dict)  #: By mount point.
    #: Number of agents' processes, by the name of the program.
    programs: dict[str, int] = field(default_factory=dict)
    capacity: Capacity = field(default_factory=Capacity)
    warm: list[Seed] = field(default_factory=list)  #: Only an audit checks for damage.
    deep: Optional[Deep] = None

    def __post_init__(self) -> None:
        memory = self.memory
        if self.cpus < 1 or memory["total"] < 1 or memory["hugepages"] < 0 or (memory["cgroup_limit"] or 1) < 1:
            raise ValueError("a number of CPUs or a memory size is impossible")
        if not all(path.startswith("/") for path in {**self.files, **self.toolchains}):
            raise ValueError("files or toolchains has a name that is no absolute path")
