# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Nothing in a text of others steers a terminal or hides, whichever way it is shown."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils import text
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = "é a\n\t\x1b[31m\x9b\u202e\u2028\udcff"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (text.plain_line(HOSTILE), "é a  ?[31m????"),
        (text.plain_line("x" * 301, 300), "x" * 300 + "..."),
        (text.plain_line("x" * 301), "x" * 301),
        (text.plain_lines("one\ntwo\r\u202e\n"), "one\ntwo ?\n"),
        (text.ascii_line(HOSTILE, 200), "? a???[31m????"),
        (text.spelled_line(HOSTILE), r"é a\x0a\x09\x1b[31m\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xff"),
        (text.spelled_lines(HOSTILE), "é a\n" + r"\t\x1b[31m\x9b\u202e\u2028\udcff"),
    ],
)
def test_each_way_to_show_it(shown, expected):
    assert shown == expected


def test_every_string_of_an_answer_leaves_a_host_in_a_form_that_json_and_terminals_take():
    name = os.fsdecode(b"nova-\xff\x1b[31m.1")
    answer = {"paths": {name: {"target": name, "sizes": (1, None, True)}}, "diff": "one\n\ttwo\r\u202e\n"}
    left = text.outgoing(answer)
    assert left == {
        "paths": {r"nova-\xff\x1b[31m.1": {"target": r"nova-\xff\x1b[31m.1", "sizes": [1, None, True]}},
        "diff": "one\n\ttwo\\x0d\\xe2\\x80\\xae\n",
    }
    json.dumps(left).encode()
    assert text.outgoing("x" * (text.LONGEST + 1000)) == "x" * text.LONGEST + "... and 1,000 characters more"


def test_a_list_of_findings_says_how_many_it_leaves_out():
    assert text.and_more(["a", "b"], 2) == ["a", "b"]
    assert text.and_more([str(number) for number in range(40_000)], 2) == ["0", "1", "and 39,998 more"]


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_no_text_gets_past_the_door(given_text):
    left = text.outgoing(given_text)
    left.encode("utf-8")
    assert left.replace("\n", "").replace("\t", "").isprintable()
