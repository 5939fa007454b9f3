# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What an apply tells about a host: what it holds, and what there defeats a memory limit (told, never changed)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host.sessions import stale_sessions
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import MIB, readable_size
from ansible_collections.nova.agent_host.plugins.module_utils.text import counted, safe_text

OVERCOMMIT_NEVER = 2
SHM_WORTH_TELLING = 256 * MIB


Limits = Mapping[str, Sequence["int | None"]]


def host_summary(observed: Mapping[str, Any], name: str, limits: Limits | None = None) -> str:
    """Lines for people. ``observed`` is what ``agent_host_info`` returned with the ``parallelism`` that holds there;
    ``limits`` are those of a login (``{"as": [soft, hard], ...}``), where logins are limited."""
    name, budget, builds = safe_text(name), observed["budget"], observed["parallelism"]
    holds = (
        f"{name}: {counted(budget['recommended_agents'], 'agent')} ({budget['max_agents']} at most) of "
        f"{readable_size(budget['per_agent'])}; {counted(builds['slots'], 'cargo command')} at once, "
        f"{counted(builds['jobs'], 'job')} each"
    )
    notes = fence_notes(observed) + ([] if limits is None else login_notes(observed["logins"], limits))
    return "\n".join([holds, *(f"{name}: note: {note}" for note in notes)])


def done_line(hosts: Sequence[str], done: Sequence[str]) -> str:
    """How an apply of ``hosts`` ended, of which those in ``done`` are as the policy wants them."""
    missing = [safe_text(host) for host in hosts if host not in done]
    others = f"; not reached or failed: {', '.join(missing)}" if missing else ""
    return f"done: {len(done)} of {len(hosts)} hosts{others}"


def fence_notes(observed: Mapping[str, Any]) -> list[str]:
    """What on this host lets agents take more memory than the limits say."""
    notes = []
    fences, swap = observed["fences"], observed["memory"]["swap"]
    if swap:
        notes.append(
            f"swap is on ({readable_size(swap)}): a host short of memory then thrashes instead of ending a process; "
            "turn it off with swapoff and in /etc/fstab"
        )
    if fences["overcommit_memory"] == OVERCOMMIT_NEVER:
        notes.append(
            "vm.overcommit_memory is 2: address space that builds reserve and never touch counts as used, and "
            "allocations fail early; set it to 0"
        )
    if fences["container_users"]:
        notes.append(
            f"{', '.join(fences['container_users'])} may start containers, which are under no limit of the agents': "
            "take them out of that group"
        )
    if fences["shm_used"] > SHM_WORTH_TELLING:
        notes.append(
            f"files in /dev/shm hold {readable_size(fences['shm_used'])} of memory that no process's limit counts: "
            "remove them"
        )
    return notes


def login_notes(logins: Mapping[str, Any], limits: Limits) -> list[str]:
    """Which logins the limits do not reach, and which were open before."""
    notes = []
    if logins["sshd_without_pam"]:
        notes.append(
            "sshd works without PAM, so no limit holds for what comes in by ssh: set UsePAM yes in /etc/ssh/sshd_config"
        )
    if logins["pam_without_limits"]:
        files = ", ".join(f"/etc/pam.d/{name}" for name in logins["pam_without_limits"])
        notes.append(f"no limit holds for what starts through {files}: add `session required pam_limits.so`")
    stale = stale_sessions(logins["sessions"], limits)
    if stale:
        notes.append(
            f"sessions and services that were open before keep other limits: {', '.join(stale)}; log in again, or "
            "restart the service"
        )
    return notes
