# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Facts of agent-status on a busy host."""

from __future__ import annotations

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.warm.seeds import Seed

NOW = 1_790_000_000.0
GIB = 1 << 30


def facts(**changed: Any) -> dict[str, Any]:
    """The facts of a host of 1536 GiB with a ceiling, replaced by ``changed``."""
    budget = {
        "total": 1536 * GIB,
        "usable": 1536 * GIB,
        "system_reserve": 32 * GIB,
        "headroom": 200 * GIB,
        "available": 1304 * GIB,
        "per_agent": 4 * GIB,
        "max_agents": 326,
        "recommended_agents": 300,
        "jobs": 32,
        "slots": 300,
        "limited_by": "memtotal",
    }
    caller = {"pid": 4711, "user": "agent1", "since": NOW - 90, "command": "rustc serde", "memory": 4 * GIB}
    return {
        "host": "build1",
        "time": NOW,
        "budget": budget,
        "memory_hard_limit": 16 * GIB,
        "memory": {"scope": "sessions", "in_use": 652 * GIB, "ceiling": 1304 * GIB},
        "trouble": {
            "scope": "sessions",
            "pressure": {"some": {"avg10": 1.5, "avg60": 0.25}, "full": {"avg10": 0.0, "avg60": 0.0}},
            "killed": 0,
        },
        "pressure": {
            "cpu": {"some": {"avg10": 90.0, "avg60": 85.5}},
            "io": {"some": {"avg10": 2.0, "avg60": 1.25}, "full": {"avg10": 0.0, "avg60": 0.5}},
        },
        "agents": {
            "counted_by": "accounts",
            "running": 1,
            "accounts": 300,
            "logged_in": [{"user": "agent1", "sessions": 1, "processes": 12, "memory": 3 * GIB}],
        },
        "pool": {
            "path": "/run/nova-agent/pool",
            "total": 1304 * GIB,
            "held": 652 * GIB,
            "holders": [caller],
            "waiting": [],
            "problem": None,
        },
        "slots": {"total": 300, "held": 150, "holders": [], "waiting": []},
        "ledger": {
            "measured_at": NOW - 5,
            "waits": {
                "commands": 2900,
                "accounts": 290,
                "slot": {"p50": 0, "p95": 1500},
                "memory": {"p50": 120, "p95": 12_345},
                "ran": {"p50": 9_000, "p95": 600_000},
                "seeded": 7,
                "hit_share": 10,
            },
            "hits": [],
        },
        "toolchain": {
            "path": "/opt/nova-agent/toolchain",
            "channel": "1.92.0",
            "installed": ["1.92.0"],
            "problems": [],
        },
        "drift": {"recorded": 61, "changed": [], "unreadable": []},
        "seeds": [Seed("nova-0123456789ab", 212, 230, 3 << 30, NOW - 7200)],
        "disk": {
            "measured_at": NOW - 7200,
            "file_systems": [
                {
                    "path": "/home",
                    "size": 4096 * GIB,
                    "free": 1024 * GIB,
                    "free_share": 0.25,
                    "free_min": 0.1,
                    "free_goal": 0.2,
                }
            ],
            "last": {"at": NOW - 7200, "freed": 100.0 * GIB, "folders": 1.0},
            "folders": [{"path": "/home/agent1/nova/target", "bytes": 40 * GIB, "owner": "agent1"}],
        },
        "notes": [],
        **changed,
    }
