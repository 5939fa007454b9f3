# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Untrusted text can't control a terminal, be hidden, or break an encoder."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils import text
from ansible_collections.nova.agent_host.plugins.module_utils.text import safe_lines, safe_text
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = "é a\n\t\x1b[31m\x9b\u202e\u2028\udcff\ud800"


def test_text_is_escaped_to_one_line():
    assert safe_text(HOSTILE) == r"é a\n\t\x1b[31m\x9b\u202e\u2028\udcff\ud800"


def test_line_breaks_are_kept_in_lines():
    assert safe_lines("one\ntwo\r\u202e\n") == "one\ntwo\\r\\u202e\n"


@pytest.mark.parametrize("safe", [safe_text, safe_lines])
def test_result_is_valid_utf8_with_a_limited_length(safe):
    for most in range(40):
        shown = safe(HOSTILE * 3, most)
        assert len(shown) <= max(most, 3)
        json.dumps(shown, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [("x" * 300, "x" * 300), ("x" * 301, "x" * 297 + "..."), (b"a\xff", r"a\udcff"), (None, "None"), (3, "3")],
)
def test_values_are_escaped(value, shown):
    assert safe_text(value) == shown


def test_answer_is_escaped_and_shortened():
    name = os.fsdecode(b"nova-\xff\x1b[31m.1")
    answer = {"paths": {name: {"target": name, "sizes": (1, None, True)}}, "diff": "one\n\ttwo\r\u202e\n"}
    escaped = text.outgoing(answer)
    assert escaped == {
        "paths": {r"nova-\udcff\x1b[31m.1": {"target": r"nova-\udcff\x1b[31m.1", "sizes": [1, None, True]}},
        "diff": "one\n\ttwo\\r\\u202e\n",
    }
    json.dumps(escaped).encode()
    assert len(text.outgoing("x" * (text.LONGEST + 1000))) == text.LONGEST


def test_shortened_list_ends_with_the_number_of_the_others():
    assert text.and_more(["a", "b"], 2) == ["a", "b"]
    assert text.and_more([str(number) for number in range(40_000)], 2) == ["0", "1", "and 39,998 more"]


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_any_text_in_an_answer_becomes_printable(given_text):
    escaped = text.outgoing(given_text)
    escaped.encode("utf-8")
    assert escaped.replace("\n", "").replace("\t", "").isprintable()
