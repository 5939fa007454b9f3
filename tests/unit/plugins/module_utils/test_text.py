# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Nothing in a text of others steers a terminal or hides, whichever way it is shown."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils import text

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
