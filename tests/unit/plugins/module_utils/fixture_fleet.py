# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A FIXTURE fleet: invented hosts for the report page. Their budgets are computed."""

from __future__ import annotations

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import AuditedHost, audited_host
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, MIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget

Host = tuple[dict[str, Any], dict[str, Any]]


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


def observation(memory: int = 768 * GIB, cpus: int = 96, taken: int | None = 0, **more: Any) -> dict[str, Any]:
    """The part of an observation that the report reads."""
    toolchain = {"present": True, "problems": [], "toolchains": [{"channel": "1.92.0"}]}
    budget = memory_budget(memory, cpus, **more)
    return {
        "looked_at": "2026-01-02T03:04:05Z",
        "memory": {"total": memory},
        "cpus": cpus,
        "budget": budget,
        "parallelism": {"slots": budget["slots"], "jobs": budget["jobs"]},
        "ceiling": {"users": None if taken is None else {"in_use": taken}},
        "toolchains": {"/opt/nova-agent/toolchain": toolchain},
        "disks": {"/": {"size": 100 * GIB, "free": 40 * GIB, "free_share": 4000}},
    }


def record(host: str, *wrong: dict[str, Any], status: str = "ok", **more: Any) -> dict[str, Any]:
    return {"host": host, "status": status, "items": [*ITEMS, *wrong], **more}


def fixture_fleet(count: int, hostile: bool = False) -> list[AuditedHost]:
    """``count`` hosts. Some drifted, and the third was not reached."""
    names = [f"agents-{place + 1}.example" for place in range(count)]
    if hostile:
        names[: len(HOSTILE)] = HOSTILE[:count]
    return [audited_host(*_host(name, place)) for place, name in enumerate(names)]


def _host(name: str, place: int) -> Host:
    nominal, cpus = SHAPES[place * 7 % len(SHAPES)]
    memory = nominal * GIB * 984 // 1000
    seen = observation(memory, cpus, taken=memory * (place * 37 % 80) // 100)
    seen["looked_at"] = f"2026-01-02T03:04:{place // 8 % 60:02}Z"
    share = place * 41 % 97
    seen["disks"]["/home"] = {"size": 4096 * GIB, "free": 4096 * GIB * share // 100, "free_share": 100 * share}
    if place % 60 == 1:
        changed = item("drifted", "file", "/opt/nova-agent/GUIDE.md", "other content")
        opened = item("drifted", "file", "/opt/nova-agent/bin/run_limited.sh", "mode 0777, not 0755")
        swap = item("note", "fence", "swap", "swap is on (8 GiB): turn it off with swapoff and in /etc/fstab")
        return record(name, changed, opened, swap, status="drifted"), seen
    if place % 60 == 2:
        why = "Failed to connect to the host via ssh: connect to host 192.0.2.7 port 22: Connection timed out"
        return {"host": name, "status": "unreachable", "why": why, "items": []}, {"unreachable": True, "msg": why}
    if place % 60 == 8:
        return record(name, item("unknown", "limits", "agent1", "no login could be tried"), status="unknown"), seen
    if place % 60 == 14:
        tree = seen["toolchains"]["/opt/nova-agent/toolchain"]
        tree.update(
            problems=["bin/rustc: is missing"], toolchains=[{"channel": "1.91.1"}, {"channel": "nightly-2026-05-19"}]
        )
        damage = item("drifted", "toolchain", "/opt/nova-agent/toolchain", "bin/rustc: is missing")
        return record(name, damage, status="drifted"), seen
    if place % 60 == 20:
        return {"host": name, "status": "unknown", "why": "no agent fits into 3 GiB of usable memory", "items": []}, {
            "memory": {"total": 3 * GIB + 400 * MIB},
            "cpus": 2,
            "toolchains": {},
        }
    return record(name), seen
