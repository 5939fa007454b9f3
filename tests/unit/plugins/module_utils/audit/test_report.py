# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The report as text and JSON, also with hostile names and texts."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.audit.junit import junit
from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import fleet_report, table, verdict
from ansible_collections.nova.agent_host.plugins.module_utils.compare.items import DRIFTED, NOTE, OK, UNKNOWN, Item


def good(role: str, kind: str, name: str) -> dict[str, Any]:
    return Item(role, kind, name, OK).view()


def drifted(role: str, kind: str, name: str, why: str, differs: list[str]) -> dict[str, Any]:
    return Item(role, kind, name, DRIFTED, why, tuple(differs)).view()


def unknown(role: str, kind: str, name: str, why: str) -> dict[str, Any]:
    return Item(role, kind, name, UNKNOWN, why).view()


def note(role: str, kind: str, name: str, why: str) -> dict[str, Any]:
    return Item(role, kind, name, NOTE, why).view()


COMPLIANT = {"host": "right", "status": "ok", "items": [good("r", "file", "/a"), good("r", "file", "/b")]}
WITH_DRIFT = {
    "host": "wrong",
    "status": "drifted",
    "items": [
        {**drifted("r", "file", "/a", "mode 0777, not 0755", ["mode"]), "diff": "-mode: 0777\n+mode: 0755"},
        unknown("r", "limits", "agent1", "no login could be tried: runuser did not answer within 20 s"),
        note("r", "own rustup", "agent1", "has a Rust of its own"),
        good("r", "file", "/b"),
    ],
}
UNREACHED = {"host": "away", "status": "unreachable", "why": "no route", "items": []}
NO_ROOT = {"host": "no root", "status": "unknown", "why": "root is needed", "items": [unknown("r", "file", "/a", "not compared")]}  # fmt: skip


def report(*records: dict[str, Any]) -> dict[str, Any]:
    return fleet_report(records, "2026-01-02T03:04:05Z")


def test_compliant_fleet_is_one_line():
    assert table(report(COMPLIANT)) == "audit: 1 host, 2 items: all compliant"
    assert table(report(COMPLIANT, COMPLIANT)) == "audit: 2 hosts, 4 items: all compliant"


def test_table_lists_the_findings_of_each_host():
    assert table(report(COMPLIANT, WITH_DRIFT, UNREACHED, NO_ROOT)).splitlines() == [
        "wrong: 1 drifted, 1 not checkable (of 4 items)",
        "  drifted: file /a: mode 0777, not 0755",
        "  not checkable: limits agent1: no login could be tried: runuser did not answer within 20 s",
        "  note: own rustup agent1: has a Rust of its own",
        "away: not reached: no route",
        "no root: not checkable: root is needed",
        "audit: 4 hosts, 7 items: 1 compliant, 1 drifted, 1 not checkable, 1 not reached",
    ]


def test_note_of_a_compliant_host_is_shown():
    noted = {"host": "noted", "status": "ok", "items": [note("r", "fence", "swap", "swap is on")]}
    assert table(report(noted)).splitlines() == [
        "noted: all compliant (of 1 item)",
        "  note: fence swap: swap is on",
        "audit: 1 host, 1 item: all compliant",
    ]


def test_many_items_are_counted_and_long_ones_are_cut():
    items = [drifted("r", "file", f"/{number}", "x" * 1000, ["mode"]) for number in range(25)]
    lines = table(report({"host": "h", "status": "drifted", "items": items})).splitlines()
    assert len(lines) == 23 and lines[-2] == "  and 5 more"
    assert max(map(len, lines)) < 340


@pytest.mark.parametrize(
    ("records", "status"),
    [
        ([], "ok"),
        ([COMPLIANT], "ok"),
        ([COMPLIANT, WITH_DRIFT], "drifted"),
        ([NO_ROOT, WITH_DRIFT], "unknown"),
        ([UNREACHED, NO_ROOT, COMPLIANT], "unreachable"),
    ],
)
def test_status_is_the_worst_of_any_host(records, status):
    assert report(*records)["status"] == status


def test_totals_count_hosts_and_items():
    assert report(COMPLIANT, WITH_DRIFT, UNREACHED, NO_ROOT)["totals"] == {
        "hosts": {"ok": 1, "drifted": 1, "unknown": 1, "unreachable": 1},
        "items": {"ok": 3, "drifted": 1, "unknown": 2, "note": 1},
    }


def test_text_in_the_table_cannot_control_a_terminal():
    hostile = {**UNREACHED, "host": 'h\x1b]0;"<&', "why": "line\nbreak \x1b[31m \x9b \u202e"}
    text = table(report(hostile))
    assert text.splitlines()[0] == r'h\x1b]0;"<&: not reached: line\nbreak \x1b[31m \x9b \u202e'
    assert verdict(hostile) == r"not reached: line\nbreak \x1b[31m \x9b \u202e"


def suites(*records: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(junit(report(*records)).encode())


def test_junit_has_a_suite_for_each_host_and_a_case_for_each_item():
    root = suites(COMPLIANT, WITH_DRIFT, UNREACHED, NO_ROOT)
    names = ("name", "tests", "failures", "errors", "skipped")
    assert [tuple(suite.get(name) for name in names) for suite in root] == [
        ("right", "3", "0", "0", "0"),
        ("wrong", "5", "1", "1", "0"),
        ("away", "1", "0", "1", "0"),
        ("no root", "2", "0", "1", "1"),
    ]
    assert tuple(root.get(name) for name in names[1:]) == ("11", "1", "3", "1")
    failure = root.find("testsuite/testcase/failure")
    assert (failure.get("type"), failure.get("message"), failure.text) == (
        "mode",
        "mode 0777, not 0755",
        "-mode: 0777\n+mode: 0755",
    )
    assert root.find("testsuite/testcase/system-out").text == "has a Rust of its own"
    assert [case.get("classname") for case in root[1]] == ["wrong", "wrong.r", "wrong.r", "wrong.r", "wrong.r"]


def test_junit_is_well_formed_with_any_names():
    hostile = "".join(map(chr, range(0x20))) + "\x7f\ud800\udfff\ufffe\uffff \U0001f600 ]]> <a&\"'"
    items = [{**drifted("r", "file", hostile, hostile, ["mode"]), "diff": hostile}, note("r", "x", hostile, hostile)]
    root = suites({"host": hostile, "status": "drifted", "items": items}, {**UNREACHED, "why": hostile})
    text = root.find("testsuite/testcase/failure").text
    assert text.startswith(r"\x00\x01") and "\t" in text and "\n" in text and r"\x0d" in text
    assert r"\xd800\xdfff\xfffe\xffff " + "\U0001f600 ]]> <a&\"'" in text
