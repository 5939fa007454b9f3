# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A FIXTURE fleet: invented hosts for the report page. Their budgets are computed."""

from __future__ import annotations

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import NOT_SEEN, Audited, HostView
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, MIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget


def item(status: str, kind: str, name: str, why: str = "") -> dict[str, Any]:
    """An item of an audit's record."""
    return {"role": "r", "kind": kind, "item": name, "status": status, "why": why}


HOSTILE = [
    "<script>alert(1)</script>",
    "\"&'><img src=x onerror=alert(2)>",
    "right-to-left \u202egnp.exe \u2066 \x1b[31m \x00 \ud800",
    "x" * 300,
    "{{ 7 * 7 }} {% raw %} </style></title></script>",
    "line one\nline two",
]
ITEMS = [item("ok", "file", f"/opt/nova-agent/bin/{number}") for number in range(55)]
SHAPES = [(1536, 192), (768, 96), (384, 48), (64, 16)]


def view(memory: int = 768 * GIB, cpus: int = 96, used: int | None = 0) -> HostView:
    """What the page shows of a compliant host."""
    budget = memory_budget(memory, cpus)
    seen: dict[str, Any] = {
        "looked_at": "2026-01-02T03:04:05Z",
        "memory": memory,
        "budget": budget,
        "slots": budget["slots"],
        "jobs": budget["jobs"],
        "used": used,
        "disks": [{"path": "/", "free": 40 * GIB, "free_percent": 40}],
        "channels": "1.92.0",
    }
    return {**NOT_SEEN, **seen}  # type: ignore[typeddict-item]


def audited(name: str, *findings: dict[str, Any], status: str = "ok", **more: Any) -> Audited:
    """A host with these findings. ``more``: parts of its view."""
    return {"record": record(name, *findings, status=status), "view": {**view(), **more}}  # type: ignore[typeddict-item]


def ended(name: str, status: str, why: str, *items: dict[str, Any], seen: HostView = NOT_SEEN) -> Audited:
    """A host that was not compared to the end."""
    return {"record": {"host": name, "status": status, "why": why, "items": list(items)}, "view": seen}


def record(host: str, *findings: dict[str, Any], status: str = "ok", **more: Any) -> dict[str, Any]:
    return {"host": host, "status": status, "items": [*ITEMS, *findings], **more}


def fixture_fleet(count: int, hostile: bool = False) -> list[Audited]:
    """``count`` hosts. Some drifted, and the third was not reached."""
    names = [f"agents-{index + 1}.example" for index in range(count)]
    if hostile:
        names[: len(HOSTILE)] = HOSTILE[:count]
    return [_host(name, index) for index, name in enumerate(names)]


def _host(name: str, index: int) -> Audited:
    nominal, cpus = SHAPES[index * 7 % len(SHAPES)]
    memory = nominal * GIB * 984 // 1000
    seen = view(memory, cpus, used=memory * (index * 37 % 80) // 100)
    seen["looked_at"] = f"2026-01-02T03:04:{index // 8 % 60:02}Z"
    share = index * 41 % 97
    seen["disks"].insert(
        0 if share < 40 else 1, {"path": "/home", "free": 4096 * GIB * share // 100, "free_percent": share}
    )
    if index % 60 == 1:
        changed = item("drifted", "file", "/opt/nova-agent/GUIDE.md", "other content")
        writable = item("drifted", "file", "/opt/nova-agent/bin/run_limited.sh", "mode 0777, not 0755")
        swap = item("note", "fence", "swap", "swap is on (8 GiB): turn it off with swapoff and in /etc/fstab")
        return audited(name, changed, writable, swap, status="drifted", **seen)
    if index % 60 == 2:
        why = "Failed to connect to the host via ssh: connect to host 192.0.2.7 port 22: Connection timed out"
        return ended(name, "unreachable", why)
    if index % 60 == 8:
        return audited(name, item("unknown", "limits", "agent1", "no login could be tried"), status="unknown", **seen)
    if index % 60 == 14:
        seen["channels"], seen["damaged"] = "1.91.1, nightly-2026-05-19", True
        damage = item("drifted", "toolchain", "/opt/nova-agent/toolchain", "bin/rustc: is missing")
        return audited(name, damage, status="drifted", **seen)
    if index % 60 == 20:
        small: HostView = {**NOT_SEEN, "memory": 3 * GIB + 400 * MIB, "channels": ""}
        return ended(name, "unknown", "no agent fits into 3 GiB of usable memory", seen=small)
    return audited(name, **seen)
