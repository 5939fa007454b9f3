# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""An item's diff as text, as `diff -u` has it: what is on the host, and what is wanted.

Pure.
"""

from __future__ import annotations

import difflib
from typing import Any

SHOWN = 200  # lines of one item


def unified(item: dict[str, Any]) -> dict[str, Any]:
    """The item with its ``diff`` as text where it has one in pieces, as diff mode does."""
    if not item.get("diff"):
        return {name: value for name, value in item.items() if name != "diff"}
    lines = [line for piece in item["diff"] for line in _lines(piece)]
    more = [f"... and {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
    return {**item, "diff": "\n".join(lines[:SHOWN] + more)}


def _lines(piece: dict[str, str]) -> list[str]:
    before, after = (_split(piece[side]) for side in ("before", "after"))
    names = piece["before_header"], piece["after_header"]
    return list(difflib.unified_diff(before, after, f"{names[0]} (found)", f"{names[1]} (wanted)", lineterm=""))


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1]:
        return [*lines, "\\ No newline at end of file"]
    return lines[:-1]
