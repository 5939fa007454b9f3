# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The one look at a host: everything that the roles need to know before they decide, in a few file reads.

Reads only; starts no process. What belongs to memory is in memory.py, what belongs to rustup in toolchain.state.
"""

from __future__ import annotations

import grp
import json
import os
import platform
import pwd
import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host.members import group_members, login_user
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import differences
from ansible_collections.nova.agent_host.plugins.module_utils.state.plan import bare
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.state import observe_toolchain

ACCOUNTS_RECORD = "accounts.json"
CONTAINER_GROUPS = ("docker", "incus-admin", "lxd", "libvirt")  # their members may start containers
DPKG_STATUS = "/var/lib/dpkg/status"


def observe_files(manifest: Manifest) -> dict[str, Any]:
    """The state of every path in the manifest: ``{path: state}``; kind ``unreadable`` where we may not look."""
    return {
        path: _observe_readable(path, manifest.knows_content(path))
        for role in manifest.roles.values()
        for path in role["paths"]
    }


def unlike_record(manifest: Manifest) -> list[str]:
    """The paths and trees that are not as the manifest has them, without those that were left to somebody."""
    found = observe_files(manifest)
    records = {path: record for role in manifest.roles.values() for path, record in role["paths"].items()}
    paths = [
        path for path, record in records.items() if not record.get("kept") and differences(bare(record), found[path])
    ]
    trees = [tree for role in manifest.roles.values() for tree in role["trees"]]
    seen = {tree: observe_toolchain(tree) for tree in trees}
    return sorted(paths) + [
        tree for tree, toolchain in seen.items() if toolchain["problems"] or not toolchain["present"]
    ]


def _observe_readable(path: str, content: bool) -> dict[str, Any]:
    try:
        return observe(path, content)
    except PermissionError:
        return {"kind": "unreadable"}


def observe_platform() -> dict[str, Any]:
    """What the host is, and who looks.

    Gives ``{"ids": ["ubuntu", "debian"], "version": "24.04", "architecture": "x86_64", "systemd": bool, "python":
    "3.12.3", "uid": 0}``.
    """
    release = {}
    for name in ("/etc/os-release", "/usr/lib/os-release"):
        if os.path.exists(name):
            with open(name, encoding="utf-8") as file:
                release = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', file.read(), re.MULTILINE))
            break
    return {
        "ids": [release.get("ID", "unknown"), *release.get("ID_LIKE", "").split()],
        "version": release.get("VERSION_ID", ""),
        "architecture": os.uname().machine,
        "systemd": os.path.isdir("/run/systemd/system"),
        "python": platform.python_version(),
        "uid": os.geteuid(),
    }


def observe_accounts(group: str, users: Iterable[str], records: str) -> dict[str, Any]:
    """The agents' group and accounts, and who logged in.

    Gives ``{"group": {"exists": bool, "members": [...]}, "users": {name: {"exists": bool, "groups": [...]}},
    "login_user": name, "record": {...}, "memberships": {group: [...]}}``. ``records`` is the folder in which earlier
    applies noted what they made; ``memberships`` is who is in the groups of that note now.
    """
    record = _read_record(os.path.join(records, ACCOUNTS_RECORD))
    members = group_members(group)
    return {
        "group": {"exists": members is not None, "members": members or []},
        "users": {name: _user(name) for name in users},
        "login_user": login_user(),
        "record": record,
        "memberships": {name: _added_members(name) for name in record.get("members", {})},
    }


def _added_members(group: str) -> list[str]:
    """Who can be taken out of a group again: nobody leaves his primary one."""
    try:
        return list(grp.getgrnam(group).gr_mem)
    except KeyError:
        return []


def _read_record(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (FileNotFoundError, ValueError):
        return {}  # a damaged record is written anew; retire then leaves accounts that it can't know as ours
    return record if isinstance(record, dict) else {}


def _user(name: str) -> dict[str, Any]:
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return {"exists": False, "groups": []}
    groups = []
    for gid in os.getgrouplist(name, account.pw_gid):
        try:
            groups.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            groups.append(str(gid))
    return {"exists": True, "groups": groups}


def observe_packages(names: Iterable[str]) -> dict[str, bool]:
    """Whether each package is installed, from dpkg's own record."""
    try:
        with open(DPKG_STATUS, encoding="utf-8", errors="replace") as file:
            status = file.read()
    except FileNotFoundError:
        status = ""
    return {
        name: bool(re.search(rf"^Package: {re.escape(name)}\nStatus: \S+ ok installed$", status, re.MULTILINE))
        for name in names
    }


def observe_fences(members: Iterable[str]) -> dict[str, Any]:
    """What can defeat a memory limit: ``overcommit_memory`` (the kernel's mode), bytes held in /dev/shm, and agents who
    may start containers, which live in cgroups and under limits of their own."""
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
    return {"overcommit_memory": overcommit, "shm_used": shm_used, "container_users": containers}
