# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What to do about what agent-status sees, as sentences."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.status.facts import Facts

STALLED = 10.0  # percent of the last minute in which everything waited for memory
SITE = "ansible-playbook nova.agent_host.site"


def advice(facts: Facts) -> list[str]:
    """One sentence for each thing that asks for somebody to act; the most urgent first."""
    found = []
    trouble, budget, agents = facts["trouble"], facts["budget"], facts["agents"]
    if trouble["pressure"] and trouble["pressure"].get("full", {}).get("avg60", 0) >= STALLED:
        found.append("agents stand still for lack of memory: end the largest, see: systemd-cgtop -m user.slice")
    if trouble["killed"]:
        found.append(
            "find what was killed with: journalctl -k -g 'Killed process'. Then start fewer agents, or fewer jobs (-j)."
        )
    if budget and agents["running"] > budget["recommended_agents"]:
        found.append("more agents run than recommended: start no more, or lower agent_policy_memory_per_agent")
    if facts["toolchain"] and facts["toolchain"]["problems"]:
        found.append(f"the toolchain is damaged; an operator repairs it with: {SITE}")
    if facts["drift"] and facts["drift"]["changed"]:
        found.append(f"files differ from the last apply; {SITE} --check --diff tells how; without --check it repairs")
    return found
