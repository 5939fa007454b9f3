# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""All facts that agent-status shows, read without starting a process and without root."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any, Optional, TypedDict, TypeVar

from ..host.cgroups import observe_ceiling
from ..host.files import HostError, below
from ..host.ledger import Ledger, read_ledger
from ..host.members import group_members, user_ids
from ..host.pressure import Pressure, observe_pressure
from ..host.processes import others_are_hidden, owners, read_process
from ..host.sessions import count_programs, observe_sessions
from ..host.space import space_at
from ..state.manifest import DEFAULT_PATH, Manifest, ManifestError
from ..text import safe_text
from ..toolchain.state import observe_toolchain
from ..warm.seed import Seed, folders
from ..warm.seeds import read_seeds
from .drift import Drift, observe_drift
from .memory import Memory, Trouble, memory_of_sessions, observe_trouble
from .pool import Pool, Slots, observe_pool

# Written by role agent_hygiene: {"measured_at": seconds since the epoch, "folders": [{"path", "bytes", "owner"}]}.
TARGETS = "/var/lib/nova-agent/targets.json"
LEDGER_SECONDS = 60  # between two reads of the ledger with --watch
T = TypeVar("T")


class Policy(TypedDict):
    """The file of role agent_status for this program."""

    group: str
    channel: str
    toolchain: str  #: Folder of the toolchain tree.
    pool: str  #: The file with the id of the memory pool.
    count_agents: str  #: accounts, sessions or processes.
    agent_programs: list[str]  #: Names of programs whose processes count as agents.
    memory_hard_limit: int  #: The largest cap that a command can request, in bytes.
    budget: HostBudget


class HostBudget(TypedDict):
    """The budget as the last apply computed it. Sizes are bytes."""

    total: int
    usable: int
    system_reserve: int
    headroom: int
    available: int
    per_agent: int
    max_agents: int
    recommended_agents: int
    slots: int
    jobs: int
    limited_by: str


class Agent(TypedDict):
    user: str
    sessions: int  #: Number of logins and services with its processes.
    processes: int
    memory: int  #: Bytes of all its processes; shared pages count for each process.


class Agents(TypedDict):
    accounts: int  #: Members of the agents' group.
    logged_in: list[Agent]  #: Accounts with processes, the one with most memory first.
    counted_by: str  #: agent_policy_count_agents.
    running: int  #: Number of running agents, counted in this way.


class Toolchain(TypedDict):
    path: str
    channel: str  #: The pinned one.
    installed: list[str]
    problems: list[str]


class FileSystem(TypedDict):
    """A file system with workspaces, and its limits."""

    path: str
    size: int  #: Bytes for accounts other than root.
    free: int
    free_share: float  #: Of bytes or of inodes, whichever is smaller, from 0 to 1.
    free_min: float  #: If less is free, target folders are removed.
    free_goal: float


class TargetFolder(TypedDict):
    """A target folder as the last sweep measured it."""

    path: str
    bytes: int
    owner: str


class Disk(TypedDict):
    measured_at: Optional[float]  #: None if the folders were not measured yet.
    folders: list[TargetFolder]  #: The largest first.
    file_systems: list[FileSystem]
    last: Optional[dict[str, float]]  #: The last sweep that freed something: {"at", "freed", "folders"}.


class Facts(TypedDict):
    """The keys of ``agent-status --json``. A value that could not be read is null, and ``notes`` has the reason."""

    host: str
    time: float
    budget: HostBudget
    memory_hard_limit: int
    memory: Memory
    trouble: Trouble
    pressure: dict[str, Pressure]  #: Of the host, by cpu, io and memory; empty if not measured.
    agents: Agents
    pool: Pool
    slots: Slots
    ledger: Ledger | None  #: Waiting times, run times and caps that were hit.
    toolchain: Toolchain | None
    drift: Drift | None
    disk: Disk | None
    seeds: list[Seed]  #: Of role agent_warm.
    notes: list[str]


def gather(policy: Policy, root: str = "/", before: Facts | None = None) -> Facts:
    """Look at the host whose files are below ``root``. A file that can't be read is a note, not an error.

    The ledger of ``before``, an earlier result, is used for one minute, because reading it takes longest.
    """
    notes: list[str] = []
    members = group_members(policy["group"])
    if members is None:
        members = []
        notes.append(f"there is no group {policy['group']}, so no account counts as an agent")
    if others_are_hidden(root):
        notes.append("/proc hides the processes of other accounts: without root, only your own are counted")
    agents = _agents(members, policy, root)
    sessions = _or_note(lambda: memory_of_sessions(observe_ceiling(members, "root", root)), None, notes)
    no_trouble: Trouble = {"scope": "host" if sessions is None else "sessions", "pressure": None, "killed": None}
    manifest = _manifest(root, notes)
    commands = observe_pool(policy["pool"], root)
    notes += [commands.note] if commands.note else []
    held = sum(agent["memory"] for agent in agents["logged_in"])
    return {
        "host": safe_text(os.uname().nodename),
        "time": time.time(),
        "budget": policy["budget"],
        "memory_hard_limit": policy["memory_hard_limit"],
        "memory": sessions or {"scope": "processes", "in_use": held, "ceiling": None},
        "trouble": _or_note(lambda: observe_trouble(sessions is not None, root), no_trouble, notes),
        "pressure": _or_note(lambda: observe_pressure(root), {}, notes),
        "agents": agents,
        "pool": commands.pool,
        "slots": commands.slots,
        "ledger": _ledger(members, root, before),
        "toolchain": _toolchain(policy, manifest, root),
        "drift": observe_drift(manifest, root) if manifest else None,
        "seeds": _seeds(manifest, root),
        "disk": _disk(below(root, TARGETS), notes),
        "notes": notes,
    }


def _or_note(look: Callable[[], T], unknown: T, notes: list[str]) -> T:
    try:
        return look()
    except HostError as error:
        notes.append(safe_text(error))
        return unknown


def _agents(members: list[str], policy: Policy, root: str) -> Agents:
    names = user_ids(members)
    found: dict[str, Agent] = {}
    for pid, uid in owners(root) if names else ():
        process = read_process(pid, root) if uid in names else None
        if process:
            user = names[uid]
            agent = found.setdefault(user, {"user": user, "sessions": 0, "processes": 0, "memory": 0})
            agent["processes"] += 1
            agent["memory"] += process.rss
    for session in observe_sessions(found, root):
        # A user manager is not a login.
        found[session.user]["sessions"] += not session.unit.startswith("user@")
    ordered = sorted(found.values(), key=lambda agent: (-agent["memory"], agent["user"]))
    running = {
        "accounts": sum(agent["sessions"] > 0 for agent in ordered),
        "sessions": sum(agent["sessions"] for agent in ordered),
        "processes": sum(count_programs(members, policy["agent_programs"], root).values()),
    }
    counted_by = policy["count_agents"]
    return {"accounts": len(members), "logged_in": ordered, "counted_by": counted_by, "running": running[counted_by]}


def _ledger(members: list[str], root: str, before: Facts | None) -> Ledger | None:
    known = before["ledger"] if before else None
    if known and time.time() - known["measured_at"] < LEDGER_SECONDS:
        return known
    return read_ledger(user_ids(members)) if root == "/" else None


def _manifest(root: str, notes: list[str]) -> Manifest | None:
    try:
        return Manifest.load(below(root, DEFAULT_PATH))
    except ManifestError as error:
        notes.append(safe_text(str(error), 2000))
    except OSError as error:
        notes.append(f"{DEFAULT_PATH} can't be read ({error.strerror}), so drift and toolchain are unknown")
    return None


def _toolchain(policy: Policy, manifest: Manifest | None, root: str) -> Toolchain | None:
    tree = policy["toolchain"]
    if manifest is None or tree not in manifest.trees:
        return None
    seen = observe_toolchain(below(root, tree))
    channels = [toolchain.channel for toolchain in seen.toolchains]
    problems = [safe_text(problem) for problem in seen.problems]
    if policy["channel"] not in channels:
        problems.insert(0, f"Rust {policy['channel']} is pinned, but not installed")
    return {"path": tree, "channel": policy["channel"], "installed": channels, "problems": problems}


def _seeds(manifest: Manifest | None, root: str) -> list[Seed]:
    places = folders(manifest) if manifest else []
    return [seed for place in places for seed in read_seeds(below(root, f"{place}/seeds"))]


def _disk(path: str, notes: list[str]) -> Disk | None:
    """The measurements of the last sweep. Agents choose the names of folders."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if not text:
            return None  # created by the role; no sweep has run yet
        measured = json.loads(text)
        folders: list[TargetFolder] = [
            {"path": safe_text(folder["path"]), "bytes": int(folder["bytes"]), "owner": safe_text(folder["owner"])}
            for folder in measured["folders"]
        ]
        ordered = sorted(folders, key=lambda folder: (-folder["bytes"], folder["path"]))
        at, last = measured["measured_at"], measured.get("last")
        return {
            "measured_at": None if at is None else float(at),
            "folders": ordered,
            "file_systems": [_file_system(one) for one in measured.get("disks", ()) if os.path.isdir(one["path"])],
            "last": {key: float(last[key]) for key in ("at", "freed", "folders")} if last else None,
        }
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        notes.append(
            f"{TARGETS} can't be read ({type(error).__name__}): the next sweep of target folders writes it again"
        )
        return None


def _file_system(marks: dict[str, Any]) -> FileSystem:
    """The free space now."""
    space = space_at(marks["path"])
    return {
        "path": safe_text(marks["path"]),
        "size": space.size,
        "free": space.free,
        "free_share": round(space.free_share(), 4),
        "free_min": float(marks["free_min"]),
        "free_goal": float(marks["free_goal"]),
    }
