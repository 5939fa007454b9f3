# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Look at a host: read a few files, and start at most one process. Changes nothing."""

from __future__ import annotations

import fnmatch
import grp
import json
import os
import platform
import pwd
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..observed.decode import decode
from ..observed.shapes import Account, Accounts, AccountsRecord, AuditLogFinding, Deep, Fences, Observation, Platform
from ..state.look import group_name
from ..state.manifest import DEFAULT_PATH, Manifest
from ..state.paths import PathState
from ..state.record import observe_record
from ..state.survey import Survey
from ..text import safe_text
from ..toolchain.state import observe_toolchain
from ..warm.seed import Seed, folders
from .capacity import observe_capacity
from .cgroups import observe_ceiling
from .disks import observe_disks
from .files import at_once, read_text
from .logins import observe_login_paths
from .members import group_members, login_user
from .memory import read_host
from .pressure import observe_pressure, waited
from .sessions import count_programs, observe_sessions
from .slices import observe_oomd, observe_overrides
from .sshd import DPKG_STATUS
from .units import observe_units, recorded_units

ACCOUNTS_RECORD = "accounts.json"
CONTAINER_GROUPS = ("docker", "incus-admin", "lxd", "libvirt")  # their members may start containers


@dataclass(frozen=True)
class Question:
    """The optional parts of a look."""

    group: str = "nova-agents"
    users: Sequence[str] = ()
    packages: Sequence[str] = ()
    audit_logs: Sequence[tuple[str, str]] = ()  #: Path and owner.
    programs: Sequence[str] = ()  #: Programs whose processes are counted as agents.
    paths: Sequence[str] = ()  #: Paths beside those of the manifest.
    units: Sequence[str] = ()  #: Units beside those of the manifest.
    deep: bool = False  #: Also read the facts that need extra processes.
    manifest: str = DEFAULT_PATH


def look(asked: Question) -> Observation:
    """Raises HostError, ManifestError and OSError."""
    host = read_host()
    manifest = Manifest.load(asked.manifest)
    accounts = observe_accounts(asked.group, asked.users, os.path.dirname(asked.manifest))
    agents = sorted({*accounts.members, *(name for name, user in accounts.users.items() if user.exists)})
    return Observation(
        memory=host["memory"],
        cpus=host["cpus"],
        platform=observe_platform(),
        accounts=accounts,
        packages=observe_packages(asked.packages),
        fences=observe_fences(accounts.members),
        login_paths=observe_login_paths(),
        sessions=observe_sessions(accounts.members),
        ceiling=observe_ceiling(accounts.members, accounts.login_user),
        manifest=manifest,
        record=observe_record(asked.manifest),
        files=observe_files(manifest, asked.paths),
        toolchains={tree: observe_toolchain(tree) for tree in manifest.trees},
        units=observe_units(sorted({*recorded_units(manifest), *asked.units})),
        audit_logs=observe_audit_logs(asked.audit_logs),
        pressure=waited(observe_pressure()),
        disks=observe_disks(),
        programs=count_programs(accounts.members, asked.programs),
        capacity=observe_capacity(agents=agents),
        warm=observe_seeds(manifest, asked.deep),
        deep=observe_deep(agents) if asked.deep else None,
    )


def observe_deep(agents: Sequence[str]) -> Deep:
    # A host compiles each import of a look. Only an audit needs this one.
    from . import deep

    return deep.observe_deep(agents)


def observe_seeds(manifest: Manifest, whole: bool) -> list[Seed]:
    there = folders(manifest)
    if not there:
        return []
    # A host compiles each import of a look. Few hosts need this one.
    from ..warm.seeds import read_seeds

    return [seed for folder in there for seed in read_seeds(f"{folder}/seeds", whole)]


def observe_files(manifest: Manifest, more: Iterable[str] = ()) -> dict[str, PathState]:
    """The state of every path of the manifest, and of ``more``."""
    return Survey([*(path for path, _record in manifest.records()), *more], manifest.knows_content).found


def observe_audit_logs(logs: Sequence[tuple[str, str]]) -> list[AuditLogFinding]:
    """Problems of AI audit logs. Changes nothing."""
    if not logs:
        return []
    # A host compiles each import of a look. Few hosts need these.
    from ..hygiene.audit_log import ensure_audit_logs
    from ..hygiene.policy import AuditLog

    findings = ensure_audit_logs([AuditLog(path, owner) for path, owner in logs], repair=False)
    return [AuditLogFinding(finding.path, finding.kind, finding.text) for finding in findings]


def observe_platform() -> Platform:
    """The platform of the host, and the user id of the module."""
    text = read_text("/etc/os-release") or read_text("/usr/lib/os-release")
    release = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return Platform(
        ids=[safe_text(name) for name in [release.get("ID", "unknown"), *release.get("ID_LIKE", "").split()]],
        version=safe_text(release.get("VERSION_ID", "")),
        architecture=os.uname().machine,
        systemd=os.path.isdir("/run/systemd/system"),
        python=platform.python_version(),
        uid=os.geteuid(),
    )


def observe_accounts(group: str, users: Iterable[str], records: str) -> Accounts:
    """The agents' group and accounts, and the login user. ``records`` is the folder with the record of what earlier
    applies created."""
    record = _read_record(os.path.join(records, ACCOUNTS_RECORD))
    found, accounts = _group(group), {name: _user(name) for name in users}
    # Some directory services list the groups of an account, but not the members of a group.
    more = [name for name, account in accounts.items() if group in account.groups]
    return Accounts(
        group_id=found.gr_gid if found else None,
        group_is_local=is_local_group(group),
        members=list(dict.fromkeys([*(group_members(group) or []), *more])),
        users=accounts,
        login_user=login_user(),
        record=record,
        # An account can't leave its primary group.
        memberships={name: list(one.gr_mem) if (one := _group(name)) else [] for name in record.members},
    )


def _group(name: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None


def is_local_group(group: str, file: str = "/etc/group") -> bool:
    with open(file, encoding="utf-8", errors="replace") as lines:
        return any(line.startswith(f"{group}:") for line in lines)


def _read_record(path: str) -> AccountsRecord:
    """A damaged record counts as empty, and is replaced by the next apply. retire then keeps its accounts."""
    try:
        with open(path, encoding="utf-8", opener=at_once) as file:
            return decode(AccountsRecord, json.load(file))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        return AccountsRecord()


def _user(name: str) -> Account:
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return Account(False)
    return Account(True, [group_name(gid) for gid in os.getgrouplist(name, account.pw_gid)])


def observe_packages(names: Iterable[str]) -> dict[str, bool]:
    """Whether each package is installed, from dpkg's status file. A name can have an architecture or a version, and can
    be provided by another package: build-essential, libc6:amd64, pkg-config=1.8.*."""
    wanted = list(names)
    if not wanted:
        return {}
    installed = _installed(read_text(DPKG_STATUS))
    return {name: bool(fnmatch.filter(installed, name)) for name in wanted}


def _installed(status: str) -> set[str]:
    """All names of installed packages that apt-get install accepts."""
    found = set()
    native = re.search(r"^Package: dpkg\n(?:.+\n)*?Architecture: (\S+)$", status, re.MULTILINE)
    for block in status.split("\n\n"):
        if not re.search(r"^Status: \S+ ok installed$", block, re.MULTILINE):
            continue  # Status does not always follow Package directly
        fields = dict(re.findall(r"^(Package|Architecture|Version|Provides): *(.*)$", block, re.MULTILINE))
        name = fields.get("Package", "")
        provided = re.sub(r"\([^)]*\)|:\w+", "", fields.get("Provides", "")).replace(",", " ").split()
        architecture = fields.get("Architecture", "")
        both = {name, f"{name}:{architecture}"}
        if native and architecture in ("all", native.group(1)):  # apt counts packages for all as native ones
            both |= {f"{name}:native", f"{name}:{native.group(1)}"}
        found |= both | {f"{one}={fields.get('Version')}" for one in both} | set(provided)
    return found


def observe_fences(members: Iterable[str]) -> Fences:
    with open("/proc/sys/vm/overcommit_memory", encoding="ascii") as file:
        overcommit = int(file.read())
    try:
        shm = os.statvfs("/dev/shm")
        shm_used = (shm.f_blocks - shm.f_bfree) * shm.f_frsize
    except FileNotFoundError:
        shm_used = 0
    agents = set(members)
    containers = [
        f"{name} ({engine})" for engine in CONTAINER_GROUPS for name in group_members(engine) or [] if name in agents
    ]
    return Fences(overcommit, shm_used, containers, observe_oomd(), observe_overrides())
