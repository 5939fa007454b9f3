# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The rows and totals of the report, with a FIXTURE fleet."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import (
    MOST_FINDINGS,
    Finding,
    Totals,
    audited_host,
    fleet_rows,
    fleet_totals,
    ranks,
)
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.fixture_fleet import (
    fixture_fleet,
    item,
    observation,
    record,
)

CHANGED = item("drifted", "file", "/a", "other content")
UNTRIED = item("unknown", "limits", "agent1", "no login could be tried")
SWAP = item("note", "fence", "swap", "swap is on")
AWAY = ({"host": "away", "status": "unreachable", "why": "no route", "items": []}, {"unreachable": True, "msg": "no"})


def rows_of(fleet):
    return fleet_rows([audited_host(record, observed) for record, observed in fleet])


def row(record, observed):
    (only,) = rows_of([(record, observed)])
    return only


def totals_of(fleet):
    return fleet_totals([audited_host(record, observed) for record, observed in fleet])


def findings(*items):
    return tuple(Finding(one["kind"], one["item"], one["status"], one["why"]) for one in items)


def test_totals_are_sums_of_known_values():
    fleet = [
        (record("a"), observation(1536 * GIB, 192)),
        (record("b", CHANGED, status="drifted"), observation(768 * GIB, 96)),
        AWAY,
    ]
    assert totals_of(fleet) == Totals(
        hosts=3,
        statuses={"ok": 1, "drifted": 1, "unknown": 0, "unreachable": 1},
        counted=2,
        memory=(1536 + 768) * GIB,
        max_agents=326 + 163,
        recommended_agents=300 + 150,
        slots=300 + 150,
    )


def test_slots_come_from_the_policy_not_from_the_budget():
    seen = {**observation(1536 * GIB, 192), "parallelism": {"slots": 3, "jobs": 5}}
    fleet = [(record("a"), seen), (record("b"), observation(1536 * GIB, 192))]
    assert [(row.host.slots, row.host.jobs) for row in rows_of(fleet)] == [(3, 5), (300, 32)]
    assert totals_of(fleet).slots == 3 + 300


def test_no_hosts_is_not_an_error():
    assert fleet_rows([]) == []
    assert fleet_totals([]).hosts == 0


def test_worst_hosts_come_first_then_by_name():
    fleet = [
        (record("host10"), observation()),
        (record("host2"), observation()),
        (record("one", CHANGED, status="drifted"), observation()),
        (record("three", CHANGED, CHANGED, CHANGED, status="drifted"), observation()),
        (record("untried", UNTRIED, status="unknown"), observation()),
        AWAY,
    ]
    assert [row.host.name for row in rows_of(fleet)] == ["away", "untried", "three", "one", "host2", "host10"]


def test_names_are_sorted_by_their_numbers():
    names = ["b", "host10", "host9", "Host1", "host009", "10", "9", "x" * 300, "", "1" * 5000, "host²"]
    ordered = sorted(names, key=ranks(names).__getitem__)
    assert ordered == ["", "9", "10", "1" * 5000, "b", "Host1", "host009", "host9", "host10", "host²", "x" * 300]


def test_unreachable_host_is_a_row_without_values():
    away = row(*AWAY)
    assert (away.host.status, away.host.why, away.host.looked_at) == ("unreachable", "no route", "")
    host = away.host
    assert {host.memory, host.cpus, host.slots, host.channels, away.bar, away.toolchain_rank} == {None}


def test_host_too_small_for_an_agent_has_memory_and_no_budget():
    small = row(
        {"host": "small", "status": "unknown", "why": "no agent fits", "items": []}, {"memory": {"total": 3 * GIB}}
    )
    assert (small.host.memory, small.host.budget, small.host.why) == (3 * GIB, None, "no agent fits")


def test_findings_are_sorted_by_severity_and_counted():
    audited = record("h", SWAP, UNTRIED, *[CHANGED] * 25, status="drifted")
    told = row(audited, observation())
    assert (told.host.items, told.drifted, told.unknown) == (55 + 27, 25, 1)
    assert told.findings == findings(CHANGED) * MOST_FINDINGS and told.more == 27 - MOST_FINDINGS
    ordered = row(record("h", SWAP, UNTRIED, CHANGED), observation()).findings
    assert ordered == findings(CHANGED, UNTRIED, SWAP)


def test_incomplete_comparison_is_reported_once():
    left = [item("unknown", "file", f"/{number}", "not compared: no root") for number in range(50)]
    ended = row({"host": "h", "status": "unknown", "why": "no root", "items": [*left, CHANGED]}, observation())
    assert ended.findings == findings(CHANGED) and ended.more == 0


def test_toolchains_are_sorted_and_damage_is_marked():
    fleet = [(record(name), observation()) for name in "abcd"]
    trees = [seen["toolchains"]["/opt/nova-agent/toolchain"] for _audited, seen in fleet]
    trees[0].update(toolchains=[{"channel": "1.92.0"}, {"channel": "nightly-2026-05-19"}])
    trees[1].update(toolchains=[{"channel": "1.9.0"}], problems=["bin/rustc: is missing"])
    trees[2].update(toolchains=[], present=False)
    fleet[3][1]["toolchains"] = {}
    shown = {row.host.name: (row.host.channels, row.host.damaged, row.toolchain_rank) for row in rows_of(fleet)}
    assert shown == {
        "a": ("1.92.0, nightly-2026-05-19", False, 2),
        "b": ("1.9.0", True, 1),
        "c": ("", True, 0),
        "d": ("", False, 0),
    }


def test_unknown_memory_of_sessions_is_shown():
    assert row(record("h"), observation(taken=None)).bar.used is None


def test_the_fixture_fleet_has_every_kind_of_host():
    assert set(fleet_totals(fixture_fleet(300)).statuses.values()) == {275, 10, 5}
