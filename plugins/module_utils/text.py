# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Make text from elsewhere (host names, paths, messages of programs) safe to print, to store and to send.

The result is valid UTF-8 and bounded. Characters that a terminal obeys, that hide or that reverse other text are
written as Python writes them: ``\\x1b``, ``\\u202e``.
"""

from __future__ import annotations

LONGEST_PATH = 4096  # PATH_MAX of Linux
_CUT = "..."


def safe_text(value: object, most: int = 300) -> str:
    """``value`` on one line of at most ``most`` characters. A longer one ends in ``...``."""
    return _bounded(_text(value), most, "")


def safe_lines(value: object, most: int = 1_000_000) -> str:
    """The same for text of several lines: line breaks stay. For the HTML page, and for tables on a terminal."""
    return _bounded(_text(value), most, "\n")


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _bounded(text: str, most: int, keep: str) -> str:
    shown = "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text[: most + 1]
    )
    return shown if len(shown) <= most else shown[: max(0, most - len(_CUT))] + _CUT
