# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Convert a module's answer to typed records. Hosts are not trusted, so an answer that does not fit is refused.

A text can have at most 128 KiB and no control characters; a list or dictionary at most 20,000 members. Unknown keys are
refused. The ``__post_init__`` of a shape can check more.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

LONGEST_TEXT = 1 << 17
MOST_MEMBERS = 20_000
LARGEST_NUMBER = 1 << 63
# Control characters, surrogates, and characters that reverse the direction of text.
UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
T = TypeVar("T")
NONE = type(None)


class DecodeError(ValueError):
    """An answer that does not fit. The message names the place in the answer, never the value."""


def decode(shape: type[T], data: object, where: str = "the answer") -> T:
    """``data`` (from JSON) as a value of the dataclass ``shape``. Raises DecodeError."""
    value: T = _value(shape, data, where)
    return value


def _value(shape: Any, data: object, where: str) -> Any:
    origin = get_origin(shape)
    if origin is Union:
        inner = [part for part in get_args(shape) if part is not NONE]
        return None if data is None else _value(inner[0], data, where)
    if origin is list:
        (item,) = get_args(shape)
        return [_value(item, one, f"{where}[{place}]") for place, one in enumerate(_members(data, list, where))]
    if origin is dict:
        _key, item = get_args(shape)
        pairs: dict[str, Any] = _members(data, dict, where)
        return {_text(key, f"a key of {where}"): _value(item, one, f"{where}.{key}") for key, one in pairs.items()}
    if hasattr(shape, "decode"):
        return shape.decode(data, where)
    if is_dataclass(shape) or hasattr(shape, "__total__"):
        return decode_fields(shape, data, where)
    if shape is str:
        return _text(data, where)
    if shape is int:
        if isinstance(data, bool) or not isinstance(data, int) or not -LARGEST_NUMBER <= data <= LARGEST_NUMBER:
            raise DecodeError(f"{_shown(where)} is no whole number")
        return data
    if shape is bool and isinstance(data, bool):
        return data
    raise DecodeError(f"{_shown(where)} has another type than {getattr(shape, '__name__', shape)}")


def decode_fields(shape: Any, data: object, where: str) -> Any:
    """``decode`` for the ``decode`` of a shape that arranges its fields differently in the answer."""
    if not isinstance(data, Mapping):
        raise DecodeError(f"{_shown(where)} is no dictionary")
    hints, needed = _fields(shape)
    unknown = [key for key in data if key not in hints]
    if unknown:
        raise DecodeError(f"{_shown(where)} has the unknown key {_shown(str(unknown[0]))}")
    missing = needed - data.keys()
    if missing:
        raise DecodeError(f"{_shown(where)} has no {sorted(missing)[0]}")
    values = {key: _value(hints[key], value, f"{where}.{key}") for key, value in data.items()}
    try:
        return shape(**values)
    except ValueError as error:  # from __post_init__ of a shape
        raise DecodeError(f"{_shown(where)}: {_shown(str(error))}") from None


@functools.cache
def _fields(shape: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The types of a dataclass or TypedDict, and the names that have no default."""
    hints = get_type_hints(shape)
    if not is_dataclass(shape):
        return hints, frozenset(hints)
    needed = {item.name for item in fields(shape) if item.default is MISSING and item.default_factory is MISSING}
    return hints, frozenset(needed)


def _members(data: object, kind: Any, where: str) -> Any:
    if not isinstance(data, kind):
        raise DecodeError(f"{_shown(where)} is no {kind.__name__}")
    if len(data) > MOST_MEMBERS:
        raise DecodeError(f"{_shown(where)} has {len(data)} members, more than {MOST_MEMBERS}")
    return data


def _text(data: object, where: str) -> str:
    if not isinstance(data, str):
        raise DecodeError(f"{_shown(where)} is no text")
    if len(data) > LONGEST_TEXT:
        raise DecodeError(f"{_shown(where)} has {len(data)} characters, more than {LONGEST_TEXT}")
    if UNFIT.search(data):
        raise DecodeError(f"{_shown(where)} has a control character or is no Unicode text")
    return str(data)


def _shown(text: str) -> str:
    return UNFIT.sub("?", text)[:200]
