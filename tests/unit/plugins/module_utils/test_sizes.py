# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The grammar of sizes. The bash wrappers are tested with the same table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import (
    ALLOWED,
    LARGEST,
    SizeError,
    format_size,
    parse_count,
    parse_size,
)
from hypothesis import given
from hypothesis import strategies as st

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "sizes.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"]))
def test_shared_table_of_sizes(case: dict[str, Any]) -> None:
    if "bytes" in case:
        assert parse_size(case["text"], "x") == case["bytes"]
    else:
        with pytest.raises(SizeError):
            parse_size(case["text"], "x")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("lots", "'lots'"),
        ("4GB", "'4GB'"),
        ("4G\n", r"'4G\n'"),
        ("", "''"),
        (-4, "-4"),
        (None, "None"),
        (True, "True"),
        (4.5, "4.5"),
        ("x" * 100, f"'{'x' * 76}..."),
        (0, "0"),
        ("8388608T", "'8388608T'"),
        ("9" * 5000 + "T", f"'{'9' * 76}..."),
    ],
    ids=lambda value: str(value)[:20],
)
def test_error_names_the_variable_the_value_and_the_allowed_forms(value: object, shown: str) -> None:
    with pytest.raises(SizeError) as error:
        parse_size(value, "agent_x")
    assert str(error.value).startswith(f"agent_x is {shown}, ") and str(error.value).endswith(ALLOWED)


@pytest.mark.parametrize("value", ["4096", 4096])
def test_number_without_unit_is_refused_with_both_interpretations(value: object) -> None:
    with pytest.raises(SizeError, match=r"^agent_x is 4096, .*4096 bytes or 4096 MiB \(4096M\)"):
        parse_size(value, "agent_x")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "", "x", "1 ", "٣", 1 << 63, "9" * 5000])
def test_other_values_are_not_a_count(value: object) -> None:
    with pytest.raises(SizeError, match="^agent_x is .* from 1 to "):
        parse_count(value, "agent_x")


def test_count_may_be_text() -> None:
    assert [parse_count("7", "x"), parse_count(7, "x"), parse_count("0", "x", smallest=0)] == [7, 7, 0]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1 << 32, "4G"), (1536 << 20, "1536M"), (1 << 40, "1T"), (1536 << 30, "1536G"), (1000, "1000 bytes")],
)
def test_size_is_formatted(size: int, text: str) -> None:
    assert format_size(size) == text


@given(kib=st.integers(1, LARGEST // 1024))
def test_format_and_parse_round_trip(kib: int) -> None:
    assert parse_size(format_size(kib * 1024), "x") == kib * 1024


@given(count=st.integers(1, 8388607), unit=st.sampled_from("KMGT"), suffix=st.sampled_from(["", "iB"]))
def test_units_are_powers_of_1024(count: int, unit: str, suffix: str) -> None:
    assert parse_size(f"{count}{unit}{suffix}", "x") == count * 1024 ** ("KMGT".index(unit) + 1)


@given(text=st.text(max_size=12))
def test_any_text_is_a_size_below_2_to_63_or_a_one_line_error(text: str) -> None:
    try:
        assert 0 < parse_size(text, "x") <= LARGEST
    except SizeError as error:
        assert len(str(error).splitlines()) == 1
