# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""An item's diff in the format of `diff -u`: the state on the host, and the desired state. Pure."""

from __future__ import annotations

import difflib

from ..observed.answers import Piece

SHOWN = 200  # lines of one item


def unified(piece: Piece) -> str:
    """One entry of Ansible's diff mode as text."""
    before, after = _split(piece["before"]), _split(piece["after"])
    names = f"{piece['before_header']} (found)", f"{piece['after_header']} (wanted)"
    lines = list(difflib.unified_diff(before, after, *names, lineterm=""))
    more = [f"... and {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
    return "\n".join(lines[:SHOWN] + more)


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1]:
        return [*lines, "\\ No newline at end of file"]
    return lines[:-1]
