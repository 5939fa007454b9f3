# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The one reader of sizes: a whole number and K, M, G or T, with ``iB`` after it if one likes.

Every unit is 1024-based, so ``4G``, ``4GiB`` and ``4096M`` are the same 2^32 bytes. What others write for powers of ten
(``GB``), fractions, lower case, signs, leading zeros and spaces are refused: the bash wrappers read the same sizes, and
two readers agree only on a grammar without room. ``tests/unit/plugins/module_utils/data/sizes.json`` tests both.
"""

from __future__ import annotations

import re

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

UNITS = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}

# Bash arithmetic and RLIMIT_* are 64 bits wide and bash is signed.
LARGEST = (1 << 63) - 1

_SIZE = re.compile(r"(?P<count>[1-9][0-9]*)(?P<unit>[KMGT])(?:iB)?")
_BARE_NUMBER = re.compile(r"[0-9]+")

ALLOWED = "a whole number with K, M, G or T, as in 4G, 4GiB or 4096M"


class SizeError(ValueError):
    """A value is not a size. The message names the variable, what it held and what is allowed."""


def parse_size(text: object, name: str, allow_unlimited: bool = False) -> int:
    """Give the bytes that ``text`` stands for.

    ``text`` is whatever a variable held: anything but a string is refused with a reason, never converted. ``name`` is
    the variable or option, for the message. With ``allow_unlimited``, ``0`` (string or integer) means "no limit" and
    gives 0; nothing else gives 0. The result is below 2^63. Raises SizeError.
    """
    allowed = f"{ALLOWED}, or 0 for no limit" if allow_unlimited else ALLOWED
    if allow_unlimited and not isinstance(text, bool) and text in (0, "0"):
        return 0
    # A YAML number arrives as an integer, the same number from the command line as a string.
    bare = str(text) if isinstance(text, (int, str)) else ""
    if bare == "0":
        raise SizeError(f"{name} is 0, but this is no limit that can be lifted; write {allowed}")
    if _BARE_NUMBER.fullmatch(bare):
        number = bare if len(bare) <= 19 else f"{bare[:19]}..."
        raise SizeError(
            f"{name} is {number}, a number without a unit: {number} bytes or {number} MiB ({number}M)? Write {allowed}"
        )
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise SizeError(f"{name} is {_shown(text)}, which is not a size; write {allowed}")
    # More than 19 digits can't fit; int() itself refuses thousands of them with a message of its own.
    count = match["count"]
    size = int(count) * UNITS[match["unit"]] if len(count) <= 19 else LARGEST + 1
    if size > LARGEST:
        raise SizeError(f"{name} is {_shown(text)}, which is 2^63 bytes or more; write {allowed}")
    return size


def format_size(size: int) -> str:
    """Write ``size`` bytes exactly, in the largest unit that divides it: ``4G``, ``1536M``.

    ``parse_size`` reads it back, with two exceptions that it refuses: 0 is ``0``, and what is no whole number of KiB is
    ``1000 bytes``, because rounding would lie.
    """
    if size == 0:
        return "0"
    for unit in reversed(UNITS):
        if size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return f"{size} bytes"


def readable_size(size: int) -> str:
    """Write ``size`` bytes for people, in GiB with at most one decimal: ``4 GiB``, ``1,283.6 GiB``, ``512 MiB``."""
    unit, label = (GIB, "GiB") if size >= GIB else (MIB, "MiB")
    number = f"{size / unit:,.1f}"
    return f"{number[:-2] if number.endswith('.0') else number} {label}"


def _shown(value: object) -> str:
    """The value as Python writes it (control characters escaped), not longer than a line of a log."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
