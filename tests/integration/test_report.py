# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The report on test hosts, and on an address that does not answer."""

from __future__ import annotations

import html
import json
import re

import pytest

GUIDE = "/opt/nova-agent/GUIDE.md"
DEAD = "dead <script>alert(1)</script> \"&'"


@pytest.fixture(scope="module", autouse=True)
def applied(lab, toolchain):
    lab.site().succeeded()


@pytest.fixture
def report(lab, tmp_path):
    """Write a report, and return the play and the rows of the page: the cells of a host by its name."""

    def write(*arguments, **variables):
        path = tmp_path / "page.html"
        played = lab.play("nova.agent_host.report", *arguments, agent_report_path=str(path), **variables)
        body = path.read_text(encoding="utf-8").split("<tbody")[1].split("</tbody>")[0]
        rows = {}
        for row in body.split("<tr")[1:]:
            cells = [
                html.unescape(" ".join(re.sub("<[^>]*>", " ", cell).split())) for cell in re.split("</t[hd]>", row)
            ]
            rows[html.unescape(re.search("<bdi>(.*?)</bdi>", row)[1])] = cells[1:-1]
        return played, rows

    return write


def test_compliant_drifted_and_dead_hosts_are_rows(lab, report, tmp_path):
    before = lab.snapshot("host1")
    played, rows = report()
    assert played.status == 0 and played.changed == {}
    assert lab.snapshot("host1") == before
    drift, budget, memory, agents, most, slots, disk, toolchain = rows["host1"]
    assert budget.startswith(f"of {memory}: ")
    assert drift.startswith("ok")
    assert re.match(r"\d+ ?% ", disk) or "GiB" in disk
    assert memory.endswith(" GiB") and toolchain == lab.variables["agent_policy_rust_channel"]
    numbers = re.search(r"host1: (\d+) agents \((\d+) at most\) of 4 GiB; (\d+) cargo", lab.site().succeeded().messages)
    assert agents.startswith(f"{numbers[1]} of 4 GiB") and [most, slots.split()[0]] == [numbers[2], numbers[3]]
    assert (
        f"report: 1 host, {count_items(lab, tmp_path)} items: all compliant; {tmp_path}/page.html\n" in played.messages
    )

    lab.run("host1", f"chmod 0600 {GUIDE}")
    dead = {
        "all": {"children": {"agent_hosts": {"hosts": {DEAD: {"ansible_host": lab.controller, "ansible_port": 1}}}}}
    }
    (tmp_path / "dead.json").write_text(json.dumps(dead))
    played, rows = report("-i", str(tmp_path / "dead.json"))
    assert played.status == 4  # the page is complete, and one host is not in its sums
    assert list(rows) == [DEAD, "host1"]
    assert rows[DEAD][0].startswith("not reached ") and rows[DEAD][1:] == ["–"] * 7
    assert re.fullmatch(
        rf"1 of \d+ drifted details of host1 file {GUIDE} mode 0600, not 0644( kernel settings note: .*)?",
        rows["host1"][0],
    )
    assert "1 drifted, 1 not reached; " in played.messages


def count_items(lab, folder) -> int:
    lab.play("nova.agent_host.audit", agent_audit_json=str(folder / "audit.json"))
    return sum(json.loads((folder / "audit.json").read_text())["totals"]["items"].values())


def test_drift_is_not_a_failure_of_the_report(lab, report):
    lab.run("host1", f"chmod 0600 {GUIDE}")
    played, rows = report()
    assert played.status == 0 and " drifted " in rows["host1"][0]


def test_slots_and_jobs_of_the_policy_are_shown(lab, report):
    policy = {"agent_wrappers_slots": "1", "agent_wrappers_jobs": "1"}  # text, as with -e slots=1
    messages = lab.site(**policy).succeeded().messages
    assert "; 1 cargo command at once, 1 job each" in messages
    played, rows = report(**policy)
    assert played.status == 0
    assert rows["host1"][5].startswith("1 of 1 job")
    lab.site().succeeded()


def test_host_that_cannot_be_read_is_a_row_with_the_reason(report):
    played, rows = report(agent_policy_headroom="1000T")
    assert played.status == 2
    assert rows["host1"][0].startswith("not checkable ") and "agent_policy_headroom" in rows["host1"][0]
    assert rows["host1"][2].endswith(" GiB") and rows["host1"][3] == "–"


UNWRITABLE = "{} is {}, which can't be written (No such file or directory): name a file in a folder that exists"


@pytest.fixture
def dead(lab, tmp_path):
    """Arguments of ansible-playbook for an unreachable host."""
    host = {"ansible_host": lab.controller, "ansible_port": 1}
    (tmp_path / "dead.json").write_text(json.dumps({"all": {"children": {"agent_hosts": {"hosts": {"away": host}}}}}))
    return ["-i", str(tmp_path / "dead.json")]


def test_unwritable_page_names_its_variable_and_keeps_the_status_of_a_dead_host(lab, dead):
    message = UNWRITABLE.format("agent_report_path", "/nowhere/page.html")
    for arguments, status in (([], 2), (dead, 4)):
        played = lab.play("nova.agent_host.report", *arguments, agent_report_path="/nowhere/page.html")
        assert played.status == status and message in played.messages
        assert "; not written\n" in played.messages


def test_unwritable_audit_file_affects_neither_the_other_file_nor_the_status(lab, dead, tmp_path):
    paths = {"agent_audit_json": "/nowhere/audit.json", "agent_audit_junit": str(tmp_path / "audit.xml")}
    message = UNWRITABLE.format("agent_audit_json", "/nowhere/audit.json")
    played = lab.play("nova.agent_host.audit", **paths)
    assert played.status == 2 and message in played.messages
    assert ">" in (tmp_path / "audit.xml").read_text()
    (tmp_path / "audit.xml").unlink()
    played = lab.play("nova.agent_host.audit", *dead, **paths)
    assert played.status == 4 and message in played.messages
    assert 'name="away"' in (tmp_path / "audit.xml").read_text()
