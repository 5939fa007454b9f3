# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Text that others chose (names, paths, messages) for a terminal or a page: nothing in it is obeyed or hides.

Pure. What can't be seen, ends a line or turns the text's direction is replaced; each function says by what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 1 << 16  # characters of one string in a module's answer
MOST = 20  # findings that a list shows before it only counts


def outgoing(value: Any) -> Any:
    """The door through which every string of a module's answer leaves a host: ``module.exit_json(**outgoing(answer))``.

    Line breaks and tabs stay. Everything else that a terminal obeys or that is no UTF-8 is spelled, as by
    ``spelled_line``; what is longer than LONGEST is cut, and says so. All other values stay as they are.
    """
    if isinstance(value, str):
        shown = "".join(part if part in "\n\t" else spelled_line(part) for part in _pieces(value[:LONGEST]))
        return shown if len(value) <= LONGEST else f"{shown}... and {len(value) - LONGEST:,} characters more"
    if isinstance(value, Mapping):
        return {outgoing(key): outgoing(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [outgoing(item) for item in value]
    return value


def _pieces(text: str) -> list[str]:
    return [text] if text.isprintable() else list(text)


def and_more(lines: Sequence[str], most: int = MOST) -> list[str]:
    """The first ``most`` of ``lines``, and how many are left out."""
    return list(lines) if len(lines) <= most else [*lines[:most], f"and {len(lines) - most:,} more"]


def plain_line(text: str, longest: int | None = None) -> str:
    """On one line: blanks for line breaks and tabs, question marks for the rest; cut after ``longest`` characters."""
    plain = "".join(
        character if character.isprintable() else " " if character in "\n\t\r" else "?" for character in text
    )
    return plain if longest is None or len(plain) <= longest else f"{plain[:longest]}..."


def plain_lines(text: str) -> str:
    """The same for a text of several lines, which stay."""
    return "\n".join(map(plain_line, text.split("\n")))


def ascii_line(text: str, longest: int) -> str:
    """On one line and in ASCII, not longer than ``longest``: question marks for all else."""
    shown = "".join(character if " " <= character <= "~" else "?" for character in text[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def spelled_line(text: str) -> str:
    """On one line, with nothing lost: the bytes of each character that can't be printed, as in ``\\x0a``."""
    return "".join(char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in _bytes(char)) for char in text)


def _bytes(char: str) -> bytes:
    # A file name's byte that is no UTF-8 is U+DC80 to U+DCFF in Python; JSON can bring other surrogates.
    return char.encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass")


def spelled_lines(text: str) -> str:
    """Line breaks stay, and all else that can't be printed is spelled as in Python: ``\\u202e``."""
    return "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in text
    )
