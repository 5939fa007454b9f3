# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Read and write sizes: a whole number with the unit K, M, G or T, and optionally ``iB``.

Units are powers of 1024: ``4G``, ``4GiB`` and ``4096M`` are the same 2^32 bytes. ``GB`` (a power of ten for some),
fractions, lower case, signs, leading zeros and spaces are refused. The grammar is strict so that the Python and the
bash parser can't diverge; ``tests/unit/plugins/module_utils/data/sizes.json`` tests both.
"""

from __future__ import annotations

import re

from .text import plain, safe_text

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

UNITS = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}

# Bash computes with signed 64-bit numbers.
LARGEST = (1 << 63) - 1

_SIZE = re.compile(r"(?P<count>[1-9][0-9]*)(?P<unit>[KMGT])(?:iB)?")
_BARE_NUMBER = re.compile(r"[0-9]+")

ALLOWED = "a whole number with K, M, G or T, as in 4G, 4GiB or 4096M"


class SizeError(ValueError):
    """A value is no size or no count. The message has the variable, its value and what is allowed."""


def parse_size(text: object, name: str) -> int:
    """Return the number of bytes, from 1 to 2^63 - 1. Raises SizeError.

    ``text`` is the value of the variable or option ``name``. Only strings are sizes; nothing is converted.
    """
    text = plain(text)
    # A number is an integer in YAML and a string on the command line.
    bare = str(text) if isinstance(text, (int, str)) else ""
    if bare == "0":
        raise SizeError(f"{name} is 0, but this limit can't be removed; write {ALLOWED}")
    if _BARE_NUMBER.fullmatch(bare):
        number = bare if len(bare) <= 19 else f"{bare[:19]}..."
        raise SizeError(
            f"{name} is {number}, a number without a unit: {number} bytes or {number} MiB ({number}M)? Write {ALLOWED}"
        )
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise SizeError(f"{name} is {safe_text(repr(text), 80)}, which is not a size; write {ALLOWED}")
    # More than 19 digits are too large; int() raises another error for thousands of digits.
    count = match["count"]
    size = int(count) * UNITS[match["unit"]] if len(count) <= 19 else LARGEST + 1
    if size > LARGEST:
        raise SizeError(f"{name} is {safe_text(repr(text), 80)}, which is 2^63 bytes or more; write {ALLOWED}")
    return size


def parse_count(value: object, name: str, smallest: int = 1) -> int:
    """Return a count or a number of bytes, given as an integer or its digits. Raises SizeError."""
    value = plain(value)
    text = str(value) if isinstance(value, (int, str)) else ""
    if not re.fullmatch(r"[0-9]{1,19}", text) or not smallest <= int(text) <= LARGEST:
        raise SizeError(
            f"{name} is {safe_text(repr(value), 80)}; it must be a whole number from {smallest} to {LARGEST}"
        )
    return int(text)


def format_size(size: int) -> str:
    """Write ``size`` exactly, in the largest unit that divides it: ``4G``, ``1536M``.

    ``parse_size`` reads the result, except ``0`` and sizes that are no whole number of KiB (``1000 bytes``).
    """
    if size == 0:
        return "0"
    for unit in reversed(UNITS):
        if size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return f"{size} bytes"


def readable_size(size: int) -> str:
    """Write ``size`` for people, rounded to one decimal: ``4 GiB``, ``1,283.6 GiB``, ``512 MiB``."""
    unit, label = (GIB, "GiB") if size >= GIB else (MIB, "MiB")
    number = f"{size / unit:,.1f}"
    return f"{number[:-2] if number.endswith('.0') else number} {label}"
