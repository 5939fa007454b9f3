# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Advice in agent-status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..host.ledger import Hit
from ..observed.shapes import Waits
from .facts import Facts

STALLED = 10.0  # percent of the last minute in which all processes waited for memory
LONG_WAIT = 30_000  # milliseconds, at p95
ENOUGH_COMMANDS = 20  # fewer commands give no reliable numbers
OFTEN = 10  # per thousand commands
SITE = "ansible-playbook nova.agent_host.site"


def advice(facts: Facts) -> list[str]:
    """One sentence for each problem that somebody has to solve, the most urgent first."""
    found = []
    trouble, budget, agents = facts["trouble"], facts["budget"], facts["agents"]
    if trouble["pressure"] and trouble["pressure"].get("full", {}).get("avg60", 0) >= STALLED:
        found.append("agents wait because memory is short: end the largest one, see: systemd-cgtop -m user.slice")
    if trouble["killed"]:
        found.append(
            "processes were killed: see journalctl -k -g 'Killed process'. Start fewer agents, or use fewer jobs (-j)"
        )
    if agents["running"] > budget["recommended_agents"]:
        found.append("more agents run than recommended: do not start more, or lower agent_policy_memory_per_agent")
    for one in facts["disk"]["file_systems"] if facts["disk"] else ():
        if one["free_share"] < one["free_min"]:
            found.append(f"{one['path']} has too little free space: see journalctl -u nova-agent-free-space")
    if facts["toolchain"] and facts["toolchain"]["problems"]:
        found.append(f"the toolchain is damaged: an operator repairs it with {SITE}")
    if facts["drift"] and facts["drift"]["changed"]:
        found.append(f"files differ from the last apply: see {SITE} --check --diff; without --check it repairs them")
    if facts["ledger"]:
        found += [*_waits(facts["ledger"]["waits"]), *_hits(facts["ledger"]["hits"], facts["memory_hard_limit"])]
    return found


def _waits(waits: Waits) -> Iterator[str]:
    if waits["commands"] < ENOUGH_COMMANDS:
        return
    if waits["memory"]["p95"] >= LONG_WAIT:
        wait = seconds(waits["memory"]["p95"])
        yield f"agents wait {wait} for memory at p95: memory is short. Run fewer agents, or take a larger host"
    if waits["slot"]["p95"] >= LONG_WAIT:
        wait = seconds(waits["slot"]["p95"])
        yield f"agents wait {wait} for a slot at p95: slots are short. Raise agent_wrappers_slots"


def _hits(hits: Sequence[Hit], most: int) -> Iterator[str]:
    for hit in hits:
        if hit["share"] < OFTEN or hit["hit"] < 2:
            continue
        what = f"{hit['process']} dies at its cap of {_cap(hit['cap'])} in {percent(hit['share'])} of {hit['command']}"
        if hit["enough"]:
            yield f"{what}: NOVA_CARGO_LIMIT_AS={_cap(hit['enough'])} was enough"
        elif hit["cap"] < most:
            yield f"{what}: try NOVA_CARGO_LIMIT_AS={_cap(min(2 * hit['cap'], most))}"
        else:
            yield f"{what}, which is the most that policy allows (agent_policy_memory_hard_limit)"


def _cap(size: int) -> str:
    """A size in the form of NOVA_CARGO_LIMIT_AS."""
    return f"{size >> 30}G" if size % (1 << 30) == 0 else f"{size >> 20}M"


def seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.0f} s" if milliseconds >= 9950 else f"{milliseconds / 1000:.1f} s"


def percent(thousandths: int) -> str:
    return f"{thousandths / 10:.3g} %"
