# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Text from elsewhere can't control a terminal, hide, or break an encoder."""

from __future__ import annotations

import json

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.text import safe_lines, safe_text

HOSTILE = "é a\n\t\x1b[31m\x9b\u202e\u2028\udcff\ud800"


def test_one_line():
    assert safe_text(HOSTILE) == r"é a\n\t\x1b[31m\x9b\u202e\u2028\udcff\ud800"


def test_line_breaks_stay_in_lines():
    assert safe_lines("one\ntwo\r\u202e\n") == "one\ntwo\\r\\u202e\n"


@pytest.mark.parametrize("safe", [safe_text, safe_lines])
def test_the_result_is_valid_utf8_and_bounded(safe):
    for most in range(40):
        shown = safe(HOSTILE * 3, most)
        assert len(shown) <= max(most, 3)
        json.dumps(shown, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [("x" * 300, "x" * 300), ("x" * 301, "x" * 297 + "..."), (b"a\xff", r"a\udcff"), (None, "None"), (3, "3")],
)
def test_values(value, shown):
    assert safe_text(value) == shown
