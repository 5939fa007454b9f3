# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The ceiling on all agents together: how high it is on a host, whether it holds there now, and why it can't.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.sizes import MIB, format_size, parse_size, readable_size

SCOPES_WITH_OOM_POLICY = 253  # systemd's version; before it, only services have one
CONTROLLERS = ("memory", "pids")
# Of the ceiling, what may be kept for administrators at most.
ADMINISTRATORS_SHARE = 4


def ceiling_plan(
    ceiling: Mapping[str, Any], available: int, administrator_memory: str, services: Sequence[str]
) -> dict[str, Any]:
    """What the host is to hold. ``ceiling`` is what ``agent_host_info`` returns under that name, ``available`` the
    budget's bytes, ``services`` those that must run below the ceiling.

    Gives ``{"memory_max": "1304G", "slices": ["user-0.slice", ...], "memory_min": size of these together, "holds":
    whether the kernel has that maximum now, "blocked": whether more is in use, "outside": [services that run above]}``.
    """
    height = _height(available)
    users = ceiling["users"] or {"memory_max": None, "swap_max": None, "in_use": 0}
    slices = [f"user-{uid}.slice" for uid in sorted(set(ceiling["administrators"].values()))]
    return {
        "memory_max": format_size(height),
        "slices": slices,
        "memory_min": format_size(parse_size(administrator_memory, "agent_ceiling_administrator_memory") * len(slices)),
        "holds": users["memory_max"] == height and users["swap_max"] in (0, None),
        "blocked": users["in_use"] > height,
        "outside": [name for name in services if f"{name}.service" in ceiling["services"]],
    }


def ceiling_problems(ceiling: Mapping[str, Any], available: int, variables: Mapping[str, Any]) -> list[str]:
    """Why the host can't have the ceiling that the variables ask for, empty where it can."""
    if ceiling["hierarchy"] != "unified":
        return [
            f"agent_ceiling_enabled needs cgroup v2 alone, and this host's tree is {ceiling['hierarchy']} "
            "(/sys/fs/cgroup): boot it with systemd.unified_cgroup_hierarchy=1 on the kernel's command line, or set "
            "agent_ceiling_enabled: false"
        ]
    missing = [name for name in CONTROLLERS if name not in ceiling["controllers"]]
    if missing:
        return [
            f"agent_ceiling_enabled needs the cgroup controllers {' and '.join(CONTROLLERS)}, and "
            f"/sys/fs/cgroup/cgroup.controllers has no {' and no '.join(missing)}: take cgroup_disable= and "
            "cgroup_no_v1= off the kernel's command line, in a container let its host delegate them, or set "
            "agent_ceiling_enabled: false"
        ]
    height, users, problems = _height(available), ceiling["users"], []
    if users and users["in_use"] > height and not variables.get("agent_ceiling_wait"):
        problems.append(
            f"all users together have {readable_size(users['in_use'])} in use, above the ceiling of "
            f"{readable_size(height)}, so processes would be killed at once: end some, or let the play wait for it "
            "with agent_ceiling_wait"
        )
    if variables.get("agent_ceiling_kill") == "session" and ceiling["systemd"] < SCOPES_WITH_OOM_POLICY:
        problems.append(
            f"agent_ceiling_kill is session, which needs systemd {SCOPES_WITH_OOM_POLICY} or newer, and the host has "
            f"{ceiling['systemd'] or 'none that is known'}: set it to process"
        )
    count = len(ceiling["administrators"])
    each = parse_size(variables["agent_ceiling_administrator_memory"], "agent_ceiling_administrator_memory")
    if each * count * ADMINISTRATORS_SHARE > height:
        most = height // ADMINISTRATORS_SHARE // count // MIB
        problems.append(
            f"agent_ceiling_administrator_memory is {format_size(each)} for each of "
            f"{', '.join(ceiling['administrators'])}, together more than a quarter of the ceiling of "
            f"{readable_size(height)}: lower it to at most {most}M"
        )
    return problems


def _height(available: int) -> int:
    """The budget's available memory in whole MiB, which the kernel keeps as it stands whatever its page size."""
    return available // MIB * MIB
