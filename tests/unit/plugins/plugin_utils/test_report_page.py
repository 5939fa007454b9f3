# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The page of a FIXTURE fleet is well-formed, loads nothing, and shows hostile names as text."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re

import pytest
from ansible_collections.nova.agent_host.plugins.plugin_utils.report_page import FOLDER, report_page
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.fixture_fleet import (
    HOSTILE,
    audited,
    ended,
    fixture_fleet,
    item,
)

VOID = {"meta", "input", "br", "hr", "img", "link"}
WRITTEN_AT = "2026-01-02T03:04:59Z"


class Element:
    def __init__(self, name: str, attributes: dict[str, str | None]) -> None:
        self.name, self.attributes, self.text = name, attributes, ""


class Page(html.parser.HTMLParser):
    """All elements of a page, each with its text; a tag that does not nest is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _value in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop().name == tag

    def handle_data(self, data):
        for element in self.open:
            element.text += data

    def all(self, name: str) -> list[Element]:
        return [element for element in self.elements if element.name == name]


@pytest.fixture(scope="module")
def text() -> str:
    return report_page(fixture_fleet(30, hostile=True), WRITTEN_AT)


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_page_has_a_row_for_each_host_and_a_cell_for_each_head(page):
    assert len(page.all("tr")) == 31
    heads = [element for element in page.all("th") if element.attributes["scope"] == "col"]
    names = ["Host", "Drift", "Budget", "Memory", "Agents", "At most", "Slots", "Disk free", "Toolchain"]
    assert [head.text for head in heads] == names
    assert [head.attributes.get("aria-sort") for head in heads] == [None, "descending", *[None] * 7]
    labels = [cell.attributes["data-label"] for cell in page.all("td")]
    assert labels == names[1:] * 30
    assert len(page.all("caption")) == 1 and page.all("html")[0].attributes["lang"] == "en"


def test_every_cell_has_a_sort_number_or_none(page):
    keys = [cell.attributes["data-sort"] for cell in page.all("td")]
    keys += [head.attributes["data-sort"] for head in page.all("th") if head.attributes["scope"] == "row"]
    assert all(re.fullmatch(r"[0-9]*(\.[0-9]+)?", key) for key in keys)
    memory = [cell.attributes["data-sort"] for cell in page.all("td") if cell.attributes["data-label"] == "Memory"]
    assert memory.count("") == 1  # the host that was not reached


def test_hostile_names_are_shown_as_text(text, page):
    shown = [head.text.split("checked at")[0].strip() for head in page.all("th") if head.attributes["scope"] == "row"]
    for name in HOSTILE[:2] + HOSTILE[3:]:
        assert name in shown
    assert r"right-to-left \u202egnp.exe \u2066 \x1b[31m \x00 \ud800" in shown
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert page.all("img") == []
    assert not any(name.startswith("on") for element in page.elements for name in element.attributes)
    text.encode()  # raises an error for characters that UTF-8 does not have
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)


def test_foreign_messages_are_escaped():
    hostile = "</title><script>alert(1)</script>\u202e"
    finding = item("drifted", hostile, hostile, hostile)
    hosts = [audited("h", finding, status="drifted", channels=hostile), ended("away", "unreachable", hostile)]
    text = report_page(hosts, WRITTEN_AT)
    assert len(Page(text).all("script")) == 1 and "\u202e" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;\\u202e") == 5


def test_content_security_policy_allows_only_the_own_style_and_script(page):
    (policy,) = [meta.attributes["content"] for meta in page.all("meta") if "http-equiv" in meta.attributes]
    hashes = {
        name: base64.b64encode(hashlib.sha256(page.all(name)[0].text.encode()).digest()).decode()
        for name in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}';"
        " base-uri 'none'; form-action 'none'"
    )


def test_page_has_no_external_links(text, page):
    assert not re.search(r"https?:|//[a-z]|url\(|@import", text.replace("// ", ""))
    attributes = {name for element in page.elements for name in element.attributes}
    assert attributes & {"src", "href", "action", "style", "srcset", "background"} == set()


def test_numbers_are_formatted(page):
    cells = [" ".join(cell.text.split()) for cell in page.all("td")]
    assert "1,511.4 GiB" in cells and "295of 4 GiB" in cells and "295of 32 jobs" in cells
    totals = [" ".join(part.text.split()) for part in page.all("dd")]
    assert totals[0] == "30" and totals[1] == "25 ok 2 drifted 2 not checkable 1 not reached"
    assert totals[5] == "known for 28 of 30 hosts"
    titles = [title.text for title in page.all("title")[1:]]
    assert len(titles) == 28 and all(title.startswith("of ") for title in titles)


def test_waiting_times_are_formatted():
    waits = {"slot": {"p50": 0, "p95": 1500}, "memory": {"p50": 120, "p95": 40_000}}
    shown = Page(report_page([audited("h", waits=waits)], WRITTEN_AT))
    (slots,) = [cell for cell in shown.all("td") if cell.attributes["data-label"] == "Slots"]
    assert " ".join(slots.text.split()).endswith(
        "a command waits 0.0 s for a slot (p95 1.5 s), 0.1 s for memory (p95 40.0 s)"
    )


def test_seeds_are_shown_with_size_and_number_of_copies():
    seeds = {"count": 2, "bytes": 4 << 30, "taken": 7}
    shown = Page(report_page([audited("h", seeds=seeds)], WRITTEN_AT))
    (cell,) = [cell for cell in shown.all("td") if cell.attributes["data-label"] == "Toolchain"]
    assert "2 seeds of built dependencies, 4 GiB, copied by 7 commands" in cell.text


def test_disks_are_shown_with_their_free_space():
    disks = [
        {"path": "/home", "free": 1 << 40, "free_percent": 8},
        {"path": "/", "free": 60 << 30, "free_percent": 60},
    ]
    shown = Page(report_page([audited("h", disks=disks)], WRITTEN_AT))
    (cell,) = [cell for cell in shown.all("td") if cell.attributes["data-label"] == "Disk free"]
    assert cell.attributes["data-sort"] == "8"
    assert re.fullmatch(r"8 %\s*1,024 GiB in /home\s*60 GiB in /", cell.text.strip())


def test_drift_is_formatted(page):
    marks = [" ".join(mark.text.split()) for mark in page.all("td") if mark.attributes["data-label"] == "Drift"]
    assert marks[0] == (
        "not reached Failed to connect to the host via ssh: connect to host 192.0.2.7 port 22: Connection timed out"
    )
    assert marks[1] == (
        "1 of 56 not checkable details of agents-9.example limits agent1 not checkable: no login could be tried"
    )
    assert marks[2] == "not checkable no agent fits into 3 GiB of usable memory"
    assert marks[3].startswith("2 of 58 drifted details") and marks[3].endswith(
        "file /opt/nova-agent/GUIDE.md other content"
        " file /opt/nova-agent/bin/run_limited.sh mode 0777, not 0755"
        " fence swap note: swap is on (8 GiB): turn it off with swapoff and in /etc/fstab"
    )
    assert marks[-1] == "ok"


def test_page_is_valid_with_one_host_and_with_none():
    for count in (0, 1):
        assert len(Page(report_page(fixture_fleet(count), WRITTEN_AT)).all("tr")) == 1 + count


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast_satisfies_wcag_aa(scheme):
    pairs = re.findall(r"--([a-z]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", (FOLDER / "page.css").read_text())
    colours = {name: both[scheme] for name, *both in pairs}
    for name in ("ink", "soft", "accent", "ok", "drifted", "unknown", "unreachable"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
        assert contrast(colours[name], colours["raised"]) >= 4.5, name
    for name in ("recommended", "further", "headroom", "reserve", "unusable", "used"):
        assert contrast(colours[name], colours["paper"]) >= 3, name
