# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What the report tells of each host and of all, with a FIXTURE fleet."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import drifted, note, unknown
from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import (
    SHOWN,
    fleet_rows,
    fleet_totals,
    ranks,
)
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.fixture_fleet import (
    fixture_fleet,
    observation,
    record,
)

CHANGED = drifted("r", "file", "/a", "other content", ["content"])
UNTRIED = unknown("r", "limits", "agent1", "no login could be tried")
SWAP = note("r", "fence", "swap", "swap is on")
AWAY = ({"host": "away", "status": "unreachable", "why": "no route", "items": []}, {"unreachable": True, "msg": "no"})


def row(audited, seen):
    (only,) = fleet_rows([(audited, seen)])
    return only


def test_totals_are_the_sums_of_what_is_known():
    fleet = [
        (record("a"), observation(1536 * GIB, 192)),
        (record("b", CHANGED, status="drifted"), observation(768 * GIB, 96)),
        AWAY,
    ]
    assert fleet_totals(fleet_rows(fleet)) == {
        "hosts": 3,
        "statuses": {"ok": 1, "drifted": 1, "unknown": 0, "unreachable": 1},
        "counted": 2,
        "memory": (1536 + 768) * GIB,
        "max_agents": 326 + 163,
        "recommended_agents": 300 + 150,
        "slots": 300 + 150,
    }


def test_slots_are_those_that_hold_there_not_the_budget_s():
    seen = {**observation(1536 * GIB, 192), "parallelism": {"slots": 3, "jobs": 5}}
    rows = fleet_rows([(record("a"), seen), (record("b"), observation(1536 * GIB, 192))])
    assert [row["parallelism"] for row in rows] == [{"slots": 3, "jobs": 5}, {"slots": 300, "jobs": 32}]
    assert fleet_totals(rows)["slots"] == 3 + 300


def test_no_hosts_are_no_error():
    assert fleet_rows([]) == []
    assert fleet_totals([])["hosts"] == 0


def test_the_worst_come_first_then_by_name():
    fleet = [
        (record("host10"), observation()),
        (record("host2"), observation()),
        (record("one", CHANGED, status="drifted"), observation()),
        (record("three", CHANGED, CHANGED, CHANGED, status="drifted"), observation()),
        (record("untried", UNTRIED, status="unknown"), observation()),
        AWAY,
    ]
    assert [row["host"] for row in fleet_rows(fleet)] == ["away", "untried", "three", "one", "host2", "host10"]


def test_names_are_ordered_with_their_numbers():
    names = ["b", "host10", "host9", "Host1", "host009", "10", "9", "x" * 300, "", "1" * 5000, "host²"]
    ordered = sorted(names, key=ranks(names).__getitem__)
    assert ordered == ["", "9", "10", "1" * 5000, "b", "Host1", "host009", "host9", "host10", "host²", "x" * 300]


def test_a_host_that_was_not_reached_is_a_row_that_knows_nothing():
    away = row(*AWAY)
    assert (away["status"], away["why"]) == ("unreachable", "no route")
    unknowns = ("memory", "cpus", "budget", "parallelism", "bar", "toolchain")
    assert [away[name] for name in unknowns] == [None] * len(unknowns)
    assert away["looked_at"] == ""


def test_a_host_that_can_not_hold_an_agent_has_its_memory_and_no_budget():
    small = row(
        {"host": "small", "status": "unknown", "why": "no agent fits", "items": []}, {"memory": {"total": 3 * GIB}}
    )
    assert (small["memory"], small["budget"], small["why"]) == (3 * GIB, None, "no agent fits")


def test_findings_are_told_in_order_of_weight_and_then_counted():
    audited = record("h", SWAP, UNTRIED, *[CHANGED] * 25, status="drifted")
    told = row(audited, observation())
    assert (told["items"], told["drifted"], told["unchecked"]) == (55 + 27, 25, 1)
    assert told["findings"] == [CHANGED] * SHOWN and told["more"] == 27 - SHOWN
    assert row(record("h", SWAP, UNTRIED, CHANGED), observation())["findings"] == [CHANGED, UNTRIED, SWAP]


def test_what_a_broken_off_comparison_left_out_is_told_once():
    left = [unknown("r", "file", f"/{number}", "not compared: no root") for number in range(50)]
    ended = row({"host": "h", "status": "unknown", "why": "no root", "items": [*left, CHANGED]}, observation())
    assert ended["findings"] == [CHANGED] and ended["more"] == 0


def test_toolchains_are_named_ordered_and_called_damaged():
    fleet = [(record(name), observation()) for name in "abcd"]
    trees = [seen["toolchains"]["/opt/nova-agent/toolchain"] for _audited, seen in fleet]
    trees[0].update(toolchains=[{"channel": "1.92.0"}, {"channel": "nightly-2026-05-19"}])
    trees[1].update(toolchains=[{"channel": "1.9.0"}], problems=["bin/rustc: is missing"])
    trees[2].update(toolchains=[], present=False)
    fleet[3][1]["toolchains"] = {}
    told = {row["host"]: row["toolchain"] for row in fleet_rows(fleet)}
    assert told == {
        "a": {"channels": "1.92.0, nightly-2026-05-19", "damaged": False, "rank": 2},
        "b": {"channels": "1.9.0", "damaged": True, "rank": 1},
        "c": {"channels": "", "damaged": True, "rank": 0},
        "d": {"channels": "", "damaged": False, "rank": 0},
    }


def test_a_kernel_that_does_not_say_what_sessions_take():
    assert row(record("h"), observation(taken=None))["bar"]["taken"] is None


def test_the_fixture_fleet_has_every_kind_of_host():
    assert set(fleet_totals(fleet_rows(fixture_fleet(300)))["statuses"].values()) == {275, 10, 5}
