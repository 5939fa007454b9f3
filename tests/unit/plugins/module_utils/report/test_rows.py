# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The rows and totals of the report, with a FIXTURE fleet."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import (
    FileSystem,
    InstalledToolchain,
    ToolchainTree,
)
from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import (
    MOST_FINDINGS,
    NOT_SEEN,
    Totals,
    fleet_rows,
    fleet_totals,
    host_view,
    ranks,
)
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.plugins.module_utils.warm.seeds import Seed
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import SUITABLE, changed, policy
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.fixture_fleet import (
    audited,
    ended,
    fixture_fleet,
    item,
    view,
)

CHANGED = item("drifted", "file", "/a", "other content")
NOT_CHECKED = item("unknown", "limits", "agent1", "no login could be tried")
SWAP = item("note", "fence", "swap", "swap is on")
UNREACHED = ended("away", "unreachable", "no route")


def row(host):
    (only,) = fleet_rows([host])
    return only


def view_of(observed=SUITABLE, **variables):
    return host_view(policy(**variables), observed, "2026-01-02T03:04:05Z")


def test_view_has_the_numbers_of_the_host_and_of_its_policy():
    found = view_of(agent_wrappers_slots=3, agent_wrappers_jobs=5)
    assert (found["memory"], found["budget"]["max_agents"]) == (1536 * GIB, 326)
    assert (found["slots"], found["jobs"], found["damaged"], found["seeds"]) == (3, 5, False, None)


def test_view_of_a_host_too_small_for_an_agent_has_no_budget():
    found = view_of(changed(SUITABLE, "memory", total=GIB))
    assert (found["memory"], found["budget"], found["slots"]) == (GIB, None, None)


def test_view_has_the_fullest_disk_first_and_the_sum_of_the_seeds():
    disks = {"/": FileSystem(100, 60, 6012), "/home": FileSystem(4000, 360, 899)}
    found = view_of(replace(SUITABLE, disks=disks, warm=[Seed("a", bytes=1), Seed("b", bytes=2)]))
    assert [(disk["path"], disk["free_percent"]) for disk in found["disks"]] == [("/home", 8), ("/", 60)]
    assert found["seeds"] == {"count": 2, "bytes": 3, "taken": None}


def test_view_has_all_toolchains_and_their_damage():
    channels = [InstalledToolchain("", channel) for channel in ("1.92.0", "nightly-2026-05-19")]
    tree = ToolchainTree(True, "", channels, [], [])
    assert view_of(replace(SUITABLE, toolchains={"/t": tree}))["channels"] == "1.92.0, nightly-2026-05-19"
    for bad in (replace(tree, problems=["bin/rustc: is missing"]), replace(tree, present=False)):
        assert view_of(replace(SUITABLE, toolchains={"/t": bad}))["damaged"]


def test_totals_are_sums_of_known_values():
    fleet = [
        audited("a", **view(1536 * GIB, 192)),
        audited("b", CHANGED, status="drifted", **view(768 * GIB, 96)),
        UNREACHED,
    ]
    assert fleet_totals(fleet) == Totals(
        hosts=3,
        statuses={"ok": 1, "drifted": 1, "unknown": 0, "unreachable": 1},
        counted=2,
        memory=(1536 + 768) * GIB,
        max_agents=326 + 163,
        recommended_agents=300 + 150,
        slots=300 + 150,
    )


def test_report_without_hosts_is_empty():
    assert fleet_rows([]) == []
    assert fleet_totals([]).hosts == 0


def test_worst_hosts_come_first_then_by_name():
    fleet = [
        audited("host10"),
        audited("host2"),
        audited("one", CHANGED, status="drifted"),
        audited("three", CHANGED, CHANGED, CHANGED, status="drifted"),
        audited("untried", NOT_CHECKED, status="unknown"),
        UNREACHED,
    ]
    names = [row.record["host"] for row in fleet_rows(fleet)]
    assert names == ["away", "untried", "three", "one", "host2", "host10"]


def test_names_are_sorted_by_their_numbers():
    names = ["b", "host10", "host9", "Host1", "host009", "10", "9", "x" * 300, "", "1" * 5000, "host²"]
    ordered = sorted(names, key=ranks(names).__getitem__)
    assert ordered == ["", "9", "10", "1" * 5000, "b", "Host1", "host009", "host9", "host10", "host²", "x" * 300]


def test_unreachable_host_is_a_row_without_values():
    unreached = row(UNREACHED)
    assert (unreached.record["status"], unreached.why, unreached.view) == ("unreachable", "no route", NOT_SEEN)
    assert {unreached.bar, unreached.toolchain_rank} == {None}


def test_findings_are_sorted_by_severity_and_counted():
    found = row(audited("h", SWAP, NOT_CHECKED, *[CHANGED] * 25, status="drifted"))
    assert (found.items, found.drifted, found.unknown) == (55 + 27, 25, 1)
    assert found.findings == (CHANGED,) * MOST_FINDINGS and found.more == 27 - MOST_FINDINGS
    assert row(audited("h", SWAP, NOT_CHECKED, CHANGED)).findings == (CHANGED, NOT_CHECKED, SWAP)


def test_incomplete_comparison_is_reported_once():
    left = [item("unknown", "file", f"/{number}", "not compared: no root") for number in range(50)]
    found = row(ended("h", "unknown", "no root", *left, CHANGED, seen=view()))
    assert found.findings == (CHANGED,) and found.more == 0


def test_toolchains_are_sorted():
    fleet = [audited(channels, channels=channels) for channels in ("1.92.0, nightly-2026-05-19", "1.9.0", "")]
    assert {row.record["host"]: row.toolchain_rank for row in fleet_rows(fleet)} == {
        "1.92.0, nightly-2026-05-19": 2,
        "1.9.0": 1,
        "": 0,
    }


def test_unknown_memory_of_sessions_is_shown():
    assert row(audited("h", used=None)).bar.used is None


def test_fixture_fleet_has_every_status():
    assert set(fleet_totals(fixture_fleet(300)).statuses.values()) == {275, 10, 5}
