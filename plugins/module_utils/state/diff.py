# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What diff mode shows: one piece for each changed path. Its first line has kind, mode and owner."""

from __future__ import annotations

from collections.abc import Mapping

from ..observed.answers import Piece
from .look import read
from .paths import ABSENT, TOO_LARGE, PathState

SHOWN_IF_NEW = 40  # lines; of a longer new file only the number of lines is shown
LARGEST = 1 << 20  # bytes of a file that is compared line by line


def piece(path: str, found: PathState, after: PathState, content: bytes | None, shown: bool) -> list[Piece]:
    """The diff of one path; ``content`` is the new content of a file. Empty if the path itself does not change."""
    before_text, after_text = _attributes(found), _attributes(after)
    if after.sha256 and found.sha256 != after.sha256:
        new = _text(content or b"")
        if not shown:
            before_text, after_text = before_text + "(content not shown)\n", after_text + "(other content, not shown)\n"
        elif found.kind != "file":
            lines = new.count("\n")
            after_text += new if lines <= SHOWN_IF_NEW else f"({lines} lines)\n"
        else:
            before_text, after_text = before_text + _found_text(path, found), after_text + new
    if before_text == after_text:
        return []
    return [{"before_header": path, "after_header": path, "before": before_text, "after": after_text}]


def listed(header: str, before: Mapping[str, PathState], after: Mapping[str, PathState]) -> list[Piece]:
    """One piece for many paths without content, with a line for each. Empty if there are none."""
    if not before and not after:
        return []
    return [{"before_header": header, "after_header": header, "before": _lines(before), "after": _lines(after)}]


def _lines(states: Mapping[str, PathState]) -> str:
    return "".join(f"{path} {_attributes(state)}" for path, state in sorted(states.items()))


def _attributes(state: PathState) -> str:
    if state == ABSENT:
        return ""
    where = f" to {state.target}" if state.target else ""
    mode = f" {state.mode}" if state.mode else ""
    owner = f" {state.owner}:{state.group}" if state.owner else ""
    return f"({state.kind}{where}{mode}{owner})\n"


def _found_text(path: str, found: PathState) -> str:
    if found.sha256 == TOO_LARGE:
        return f"({TOO_LARGE})\n"
    content = read(path)
    return _text(content) if len(content) <= LARGEST else f"({len(content)} bytes)\n"


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"({len(content)} bytes that are not UTF-8 text)\n"
