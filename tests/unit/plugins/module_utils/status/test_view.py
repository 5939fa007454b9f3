# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The text view of agent-status: its parts, its width, and its advice."""

from __future__ import annotations

import re

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.status.advice import advice
from ansible_collections.nova.agent_host.plugins.module_utils.status.view import render
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.status_example import GIB, NOW, facts

CALLER = {"pid": 1, "user": "a" * 32, "since": NOW - 90000, "command": "cargo " + "x" * 190, "memory": 4 * GIB}


HIT = {
    "process": "link nova-lsp",
    "command": "cargo build",
    "cap": 4 * GIB,
    "hit": 2,
    "of": 61,
    "share": 30,
    "enough": 6 * GIB,
}


def ledger(*hits, slot=0, memory=0):
    waits = facts()["ledger"]["waits"]
    return {
        "measured_at": NOW,
        "waits": {**waits, "slot": {"p50": 0, "p95": slot}, "memory": {"p50": 0, "p95": memory}},
        "hits": list(hits),
    }


def text_of(label: str, **changed) -> str:
    """The text of a label, as one line."""
    text = "\n".join(render(facts(**changed)))
    match = re.search(rf"^{label} +(.*(?:\n {{10}}.*)*)", text, re.MULTILINE)
    assert match, text
    return " ".join(match[1].split())


def test_memory_against_the_ceiling_has_a_bar():
    assert text_of("memory") == (
        "652 GiB in use by all sessions, of at most 1,304 GiB [" + "#" * 31 + "." * 31 + "] 50%"
    )


def test_memory_without_a_ceiling_is_compared_with_the_budget():
    memory = {"scope": "sessions", "in_use": 326 * GIB, "ceiling": None}
    assert text_of("memory", memory=memory).startswith(
        "326 GiB in use by all sessions; the budget has 1,304 GiB for agents. No ceiling is set (agent_ceiling_enabled) [###"
    )


def test_memory_is_shown_if_the_kernel_does_not_count_it():
    memory = {"scope": "processes", "in_use": 3 * GIB, "ceiling": None}
    assert "3 GiB in agents' processes, shared pages counted for each" in text_of("memory", memory=memory)
    assert "no cgroup v2 with the memory controller" in text_of("memory", memory=memory)


def test_view_shows_pressure_kills_agents_budget_slots_toolchain_drift_and_disk():
    assert text_of("pressure") == "at least one process waited for memory in 0.25 % of the last minute, all in 0 %"
    assert (
        text_of("cpu, disk")
        == "at least one process waited for a CPU in 85.5 % of the last minute, for the disk in 1.25 %"
    )
    assert text_of("killed") == "0 processes since the boot, because memory was short"
    assert text_of("agents").startswith("1 of 300 accounts logged in; 300 recommended, 326 at most [")
    assert text_of("agents").endswith("agent1 3 GiB in 12 processes, 1 session")
    assert text_of("budget") == (
        "1,304 GiB for agents of 4 GiB: 1,536 GiB without 32 GiB for the system and 200 GiB of headroom"
    )
    assert text_of("pool").startswith("652 GiB of 1,304 GiB held by builds and tests, 0 processes waiting [####")
    assert re.search(r" 50% agent1 4 GiB since \d\d:\d\d:\d\d \(2 min\) 4711: rustc serde$", text_of("pool"))
    assert text_of("slots").startswith("150 of 300 held, 0 commands waiting [####")
    assert text_of("waits") == (
        "2,900 commands of 290 accounts in the last day: half waited up to 0.0 s for a slot and 0.1 s for memory, and ran up "
        "to 9.0 s; 95 % waited up to 1.5 s and 12 s, and ran up to 600 s"
    )
    assert text_of("waits", ledger=ledger(HIT)).endswith("3 % of 61 cargo build: link nova-lsp died at 4 GiB")
    assert text_of("toolchain") == "Rust 1.92.0: as installed"
    assert text_of("drift") == "0 paths of 61 changed since the last apply"
    assert text_of("free") == "/home: 1,024 GiB of 4,096 GiB free, 25%; folders are removed below 10%, until 20%"
    assert text_of("disk") == (
        "40 GiB in 1 target folder, 2 h ago; 100 GiB freed 2 h ago 40 GiB /home/agent1/nova/target (agent1)"
    )
    assert text_of("seeds").startswith(
        "1 seed of built dependencies, 3 GiB; taken 7 times in the last day 3 GiB nova-0123456789ab, 212 of 230 crates, 2"
    )


def test_unreadable_and_missing_parts_are_named():
    assert text_of("pool", pool={**facts()["pool"], "total": None, "problem": "why"}) == "why"
    assert text_of("toolchain", toolchain=None) == "not installed by role agent_toolchain"
    assert text_of("drift", drift=None) == "unknown"
    assert text_of("drift", drift={"recorded": 3, "changed": [], "unreadable": ["/a", "/b"]}).endswith(
        "2 can be read by root only"
    )
    assert text_of("disk", disk=None) == "target folders were not measured yet (role agent_hygiene measures them)"
    trouble = {"scope": "host", "pressure": None, "killed": None}
    assert text_of("pressure", trouble=trouble).startswith("not measured")
    assert text_of("killed", trouble=trouble) == "not counted"
    assert not any(line.startswith("waits") for line in render(facts(ledger=None)))
    assert not any(line.startswith("cpu, disk") for line in render(facts(pressure={})))
    assert text_of("note", notes=["there is no budget: because"]) == "there is no budget: because"


@pytest.mark.parametrize("colour", [False, True])
def test_longest_values_fit_into_80_columns_and_long_lists_are_cut(colour):
    long = {"path": "/" + "p" * 190, "bytes": 99999 * GIB, "owner": "o" * 32}
    lines = render(
        facts(
            host="h" * 64,
            agents={"accounts": 9999, "counted_by": "processes", "running": 99999, "logged_in": [{"user": "u" * 32, "sessions": 99, "processes": 99999, "memory": 99999 * GIB}] * 300},
            pool={"path": "/x", "total": 9999 * GIB, "held": 9999 * GIB, "holders": [CALLER] * 999, "waiting": [CALLER] * 300, "problem": None},
            slots={"total": 9999, "held": 9999, "holders": [], "waiting": [CALLER] * 300},
            toolchain={"path": "/x", "channel": "1", "installed": ["nightly-2026-01-01"] * 20, "problems": ["p" * 200] * 20},
            drift={"recorded": 9999, "changed": [{"path": "/" + "d" * 190, "role": "r", "what": "is missing"}] * 50, "unreadable": ["/x"] * 99},
            disk={"measured_at": 0.0, "folders": [long] * 300, "file_systems": [], "last": None},
            notes=["n" * 2000],
        ),
        colour,
    )  # fmt: skip
    plain = [re.sub(r"\033\[\d*m", "", line) for line in lines]
    assert max(map(len, plain)) <= 80
    for rest in ("292 more agents", "991 more held", "292 more waiting", "42 more changed", "292 more folders"):
        assert f"          and {rest}, see --json" in plain
    assert (lines == plain) is not colour


def test_bar_is_never_longer_than_its_width():
    memory = {"scope": "sessions", "in_use": 9 * 1304 * GIB, "ceiling": 1304 * GIB}
    assert text_of("memory", memory=memory).endswith("[" + "#" * 62 + "] 900%")


def test_compliant_host_has_no_advice():
    assert advice(facts()) == []
    few = ledger(memory=40_000)
    few["waits"]["commands"] = 19
    assert advice(facts(ledger=few)) == []
    assert advice(facts(ledger=ledger({**HIT, "hit": 1}, {**HIT, "share": 9}))) == []


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"trouble": {"scope": "sessions", "pressure": {"full": {"avg10": 0, "avg60": 10.0}}, "killed": 0}}, "systemd-cgtop"),
        ({"trouble": {"scope": "sessions", "pressure": None, "killed": 1}}, "journalctl -k -g 'Killed process'"),
        ({"budget": {**facts()["budget"], "recommended_agents": 0}}, "agent_policy_memory_per_agent"),
        ({"toolchain": {**facts()["toolchain"], "problems": ["x"]}}, "ansible-playbook nova.agent_host.site"),
        ({"ledger": ledger(memory=40_000)}, "40 s for memory"),
        ({"ledger": ledger(slot=40_000)}, "agent_wrappers_slots"),
        ({"ledger": ledger(HIT)}, "NOVA_CARGO_LIMIT_AS=6G"),
        ({"ledger": ledger({**HIT, "enough": None})}, "NOVA_CARGO_LIMIT_AS=8G"),
        ({"ledger": ledger({**HIT, "cap": 16 * GIB, "enough": None})}, "agent_policy_memory_hard_limit"),
        ({"drift": {"recorded": 1, "changed": [{"path": "/x", "role": "r", "what": "w"}], "unreadable": []}}, "ansible-playbook nova.agent_host.site --check --diff"),
    ],
)  # fmt: skip
def test_each_problem_has_its_advice(changed, shown):
    (sentence,) = advice(facts(**changed))
    assert shown in sentence
    assert shown in text_of("to do", **changed)
