# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Text that others chose (names, paths, messages) for a terminal or a page: nothing in it is obeyed or hides.

Pure. What can't be seen, ends a line or turns the text's direction is replaced; each function says by what.
"""

from __future__ import annotations


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
    return "".join(
        char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def spelled_lines(text: str) -> str:
    """Line breaks stay, and all else that can't be printed is spelled as in Python: ``\\u202e``."""
    return "".join(
        character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode()
        for character in text
    )
