# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""An item's diff as text."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.audit.diff import unified

PIECE = {"before_header": "/x", "after_header": "/x", "before": "a\nb\n", "after": "a\nc"}


def test_diff_has_the_format_of_diff_u():
    assert unified(PIECE) == (
        "--- /x (found)\n+++ /x (wanted)\n@@ -1,2 +1,3 @@\n a\n-b\n+c\n+\\ No newline at end of file"
    )


def test_long_diff_is_cut_and_the_rest_is_counted():
    text = unified({**PIECE, "before": "", "after": "".join(f"{number}\n" for number in range(1000))})
    assert text.count("\n") == 200 and text.endswith("... and 803 more lines")
