# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The page of a FIXTURE fleet in a headless Chromium: sorting, searching, layout, and no network requests."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.plugin_utils.report_page import report_page
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.fixture_fleet import HOSTILE, fixture_fleet
from browser import Browser
from selenium.webdriver.common.keys import Keys

NAMES = "[...document.querySelectorAll('tbody tr')].filter(row => row.offsetHeight).map(row => row.querySelector('bdi').textContent)"
CELLS = "[...document.querySelectorAll('tbody tr')].map(row => row.cells[{}].textContent.trim())"
SORTED_BY = "[...document.querySelectorAll('[aria-sort]')].map(head => head.textContent + ' ' + head.ariaSort)"
COUNT = "document.querySelector('output').textContent"
BUTTON = "document.querySelectorAll('thead button')[{}]"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    def write(count):
        path = tmp_path_factory.mktemp("page") / "page.html"
        path.write_text(report_page(fixture_fleet(count, hostile=True), "2026-01-02T03:04:59Z"), encoding="utf-8")
        return path

    return {count: write(count) for count in (3, 300)}


@pytest.fixture
def browser(page):
    with Browser() as opened:
        opened.open(page[300])
        yield opened
        assert opened.requests() == [page[300].as_uri()]
        assert opened.complaints() == []


def type_in(browser, words):
    browser.run(f"{{ const field = document.querySelector('input'); field.value = {words!r};"
                " field.dispatchEvent(new Event('input', {bubbles: true})) }")  # fmt: skip


def test_each_column_sorts_both_ways_with_unknown_values_last(browser):
    assert browser.run(SORTED_BY) == ["Drift descending"]
    worst_first = browser.run(NAMES)
    browser.run(BUTTON.format(0) + ".click()")
    by_name = browser.run(NAMES)
    assert browser.run(SORTED_BY) == ["Host ascending"]
    hosts = [name for name in by_name if name.startswith("agents-")]
    assert hosts == [f"agents-{number}.example" for number in range(len(HOSTILE) + 1, 301)]
    browser.run(BUTTON.format(0) + ".click()")
    assert browser.run(NAMES) == by_name[::-1] and browser.run(SORTED_BY) == ["Host descending"]
    up, down = "ascending", "descending"
    for column, head in ((3, "Memory"), (4, "Agents"), (5, "At most"), (6, "Slots"), (7, "Disk free")):
        for direction in (up, down) if head == "Disk free" else (down, up):
            browser.run(BUTTON.format(column) + ".click()")
            assert browser.run(SORTED_BY) == [f"{head} {direction}"]
            cells = browser.run(CELLS.format(column))
            known = [float(cell.split()[0].replace(",", "").replace("of", "")) for cell in cells if cell != "–"]
            assert known == sorted(known, reverse=direction == "descending")
            assert set(cells[len(known) :]) == {"–"} and len(cells) == 300
    browser.run(BUTTON.format(0) + ".click()")
    browser.run(BUTTON.format(1) + ".click()")
    assert browser.run(NAMES) == worst_first


def test_each_fact_of_a_cell_begins_a_line(browser):
    shared = """[...document.querySelectorAll('tbody td')].flatMap(cell => {
      const facts = [...cell.querySelectorAll(':scope > .said')];
      return facts.slice(1).filter((fact, i) => fact.getBoundingClientRect().top < facts[i].getBoundingClientRect().bottom - 1);
    }).map(fact => fact.textContent)"""
    facts = browser.run("[...document.querySelectorAll('tbody td.budget > .said')].map(fact => fact.textContent)")
    assert "no ceiling" in facts and browser.run(shared) == []


def test_columns_can_be_sorted_by_keyboard(browser):
    browser.run("document.querySelector('input').focus()")
    for _ in range(2):  # past the box "only hosts that are not ok" to the first head
        browser.press(Keys.TAB)
    assert browser.run("document.activeElement.textContent") == "Host"
    browser.press(Keys.ENTER)
    assert browser.run(SORTED_BY) == ["Host ascending"]
    assert browser.run("document.activeElement.textContent") == "Host"


def test_search_finds_rows_that_contain_all_words(browser):
    assert browser.run(COUNT) == "300 of 300 hosts"
    type_in(browser, "AGENTS-29 example")
    names = browser.run(NAMES)
    assert names == ["agents-29.example", *(f"agents-{number}.example" for number in range(290, 300))]
    assert browser.run(COUNT) == "11 of 300 hosts"
    type_in(browser, "run_limited.sh 0777")
    assert browser.run(COUNT) == "5 of 300 hosts"
    type_in(browser, "<script>")
    assert browser.run(NAMES) == [HOSTILE[0]]
    type_in(browser, "nowhere")
    assert browser.run(NAMES) == [] and browser.run(COUNT) == "0 of 300 hosts"
    type_in(browser, "")
    browser.run("document.querySelector('[type=checkbox]').click()")
    assert browser.run(COUNT) == "25 of 300 hosts"


def test_hostile_names_are_shown_as_text_in_the_browser(browser):
    names = browser.run(NAMES)
    assert {*HOSTILE[:2], *HOSTILE[3:]} <= set(names)
    assert r"right-to-left \u202egnp.exe \u2066 \x1b[31m \x00 \ud800" in names
    assert browser.run("[document.scripts.length, document.images.length]") == [1, 0]


WIDTHS = (320, 360, 768, 1184, 1185, 1280, 1920)
OVERFLOWS = """[...document.querySelectorAll("html, th, td, dd")]
    .filter(element => element.scrollWidth > element.clientWidth + 1).map(element => element.outerHTML)"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_layout_fits_every_width(page, dark):
    with Browser(dark=dark) as browser:
        for path in page.values():
            browser.open(path)
            browser.run("document.querySelectorAll('details').forEach(item => item.open = true)")
            for width in WIDTHS:
                browser.resize(width)
                assert (width, browser.run(OVERFLOWS)) == (width, [])
        paper = browser.run("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(16, 21, 28)" if dark else "rgb(255, 255, 255)")


def test_table_is_complete_without_scripts(page):
    with Browser(scripts=False) as browser:
        browser.open(page[300])
        tree = browser.accessible()
    roles = [node["role"]["value"] for node in tree]
    assert roles.count("row") == 301 and roles.count("columnheader") == 9 and roles.count("rowheader") == 300
    assert {"button", "searchbox", "checkbox"} & set(roles) == set()


def test_cards_on_a_phone_are_a_table_for_screen_readers(page):
    with Browser(360) as browser:
        browser.open(page[3])
        tree = browser.accessible()
    roles = [node["role"]["value"] for node in tree]
    assert roles.count("table") == 1 and roles.count("row") == 4 and roles.count("rowheader") == 3
    bars = [node["name"]["value"] for node in tree if node["role"]["value"] in ("image", "img")]
    assert any("recommended agents" in name and "sessions use" in name for name in bars)


def test_injected_script_does_not_run(page, tmp_path):
    """The content security policy is the second protection: here the first one is removed."""
    path = tmp_path / "page.html"
    path.write_text(page[3].read_text().replace("</main>", "<script>document.title = 'caught'</script></main>"))
    with Browser() as browser:
        browser.open(path)
        assert browser.run("document.title") == "Hosts for agents"
        assert any("Content Security Policy" in complaint for complaint in browser.complaints())
