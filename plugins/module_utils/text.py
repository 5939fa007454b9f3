# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Make text from outside (host names, paths, messages of programs) safe to print, to store and to send.

The result is valid UTF-8 and limited in length. Characters that control a terminal, or that hide or reverse text, are
written as Python escapes: ``\\x1b``, ``\\u202e``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_PATH = 4096  # PATH_MAX of Linux
LONGEST = 1 << 16  # characters of one text in a module's answer
MOST = 20  # findings of a list; the others are only counted
_CUT = "..."


def safe_text(value: object, most: int = 300) -> str:
    """``value`` on one line of at most ``most`` characters. A longer one ends in ``...``."""
    return _bounded(_text(value), most, "")


def safe_lines(value: object, most: int = 1_000_000) -> str:
    """The same for text of several lines: line breaks stay. For the HTML page and for tables."""
    return _bounded(_text(value), most, "\n")


def outgoing(value: Any) -> Any:
    """Return the answer of a module with all texts made safe: ``module.exit_json(**outgoing(answer))``.

    Line breaks and tabs stay. A text longer than LONGEST is cut.
    """
    if isinstance(value, str):
        return value if value.isprintable() and len(value) <= LONGEST else _bounded(value, LONGEST, "\n\t")
    if isinstance(value, Mapping):
        return {outgoing(key): outgoing(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [outgoing(item) for item in value]
    return value


def and_more(lines: Sequence[str], most: int = MOST) -> list[str]:
    """The first ``most`` of ``lines``, and the number of the others."""
    return list(lines) if len(lines) <= most else [*lines[:most], f"and {len(lines) - most:,} more"]


def counted(number: int, noun: str, plural: str = "s") -> str:
    """``1 agent``, ``1,000 agents``."""
    return f"{number:,} {noun}{'' if number == 1 else plural}"


def is_empty(value: object) -> bool:
    """Whether a variable is empty. Jinja's none becomes "" in ansible-core before 2.19, so both mean the same."""
    return value is None or value == ""


def plain(value: object) -> object:
    """A vaulted value as text. In ansible-core before 2.19 it is an object that is no str."""
    return str(value) if getattr(value, "__ENCRYPTED__", False) else value


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _bounded(text: str, most: int, keep: str) -> str:
    shown = "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text[: most + 1]
    )
    return shown if len(shown) <= most else shown[: max(0, most - len(_CUT))] + _CUT
