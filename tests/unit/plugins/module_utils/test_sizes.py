# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The grammar of sizes, against the table that the bash wrappers are tested with too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import LARGEST, SizeError, format_size, parse_size
from hypothesis import given
from hypothesis import strategies as st

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "sizes.json").read_text(encoding="utf-8"))
ALLOWED = "a whole number with K, M, G or T, as in 4G, 4GiB or 4096M"


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_shared_table(case: dict[str, Any]) -> None:
    if "bytes" in case:
        assert parse_size(case["text"], "x") == case["bytes"]
    else:
        with pytest.raises(SizeError):
            parse_size(case["text"], "x")


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_shared_table_where_a_limit_can_be_lifted(case: dict[str, Any]) -> None:
    if "bytes" in case or case.get("unlimited"):
        assert parse_size(case["text"], "x", allow_unlimited=True) == case.get("bytes", 0)
    else:
        with pytest.raises(SizeError):
            parse_size(case["text"], "x", allow_unlimited=True)


def test_zero_from_yaml_lifts_a_limit() -> None:
    assert parse_size(0, "x", allow_unlimited=True) == 0


def test_false_from_yaml_does_not_lift_a_limit() -> None:
    with pytest.raises(SizeError):
        parse_size(False, "x", allow_unlimited=True)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("lots", f"v is 'lots', which is not a size; write {ALLOWED}"),
        ("4GB", f"v is '4GB', which is not a size; write {ALLOWED}"),
        ("4G\n", f"v is '4G\\n', which is not a size; write {ALLOWED}"),
        ("-4G", f"v is '-4G', which is not a size; write {ALLOWED}"),
        (-4, f"v is -4, which is not a size; write {ALLOWED}"),
        (None, f"v is None, which is not a size; write {ALLOWED}"),
        (True, f"v is True, which is not a size; write {ALLOWED}"),
        (4.5, f"v is 4.5, which is not a size; write {ALLOWED}"),
        ("x" * 100, f"v is '{'x' * 76}..., which is not a size; write {ALLOWED}"),
        ("4096", f"v is 4096, a number without a unit: 4096 bytes or 4096 MiB (4096M)? Write {ALLOWED}"),
        (4096, f"v is 4096, a number without a unit: 4096 bytes or 4096 MiB (4096M)? Write {ALLOWED}"),
        (0, f"v is 0, but this limit can't be removed; write {ALLOWED}"),
        ("0", f"v is 0, but this limit can't be removed; write {ALLOWED}"),
        ("8388608T", f"v is '8388608T', which is 2^63 bytes or more; write {ALLOWED}"),
        ("9" * 5000 + "T", f"v is '{'9' * 76}..., which is 2^63 bytes or more; write {ALLOWED}"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_messages_name_the_variable_the_value_and_what_is_allowed(value: object, message: str) -> None:
    with pytest.raises(SizeError) as error:
        parse_size(value, "v")
    assert str(error.value) == message


def test_message_offers_zero_only_where_it_is_allowed() -> None:
    with pytest.raises(SizeError) as error:
        parse_size("off", "v", allow_unlimited=True)
    assert str(error.value) == f"v is 'off', which is not a size; write {ALLOWED}, or 0 for no limit"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1 << 32, "4G"), (1536 << 20, "1536M"), (1 << 40, "1T"), (1536 << 30, "1536G"), (1000, "1000 bytes")],
)
def test_format(size: int, text: str) -> None:
    assert format_size(size) == text


@given(kib=st.integers(1, LARGEST // 1024))
def test_format_and_parse_round_trip(kib: int) -> None:
    assert parse_size(format_size(kib * 1024), "x") == kib * 1024


@given(count=st.integers(1, 8388607), unit=st.sampled_from("KMGT"), suffix=st.sampled_from(["", "iB"]))
def test_units_are_powers_of_1024(count: int, unit: str, suffix: str) -> None:
    assert parse_size(f"{count}{unit}{suffix}", "x") == count * 1024 ** ("KMGT".index(unit) + 1)


@given(text=st.text(max_size=12))
def test_any_text_is_a_size_below_2_to_63_or_an_error_on_one_line(text: str) -> None:
    try:
        assert 0 < parse_size(text, "x") <= LARGEST
    except SizeError as error:
        assert len(str(error).splitlines()) == 1
