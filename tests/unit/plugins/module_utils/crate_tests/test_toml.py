# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The reader for old Pythons gives what tomllib gives."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.crate_tests.toml import TomlError, loads
from hypothesis import given, settings
from hypothesis import strategies as st

tomllib = pytest.importorskip("tomllib", reason="this Python has no tomllib to compare with")

TRICKY = {
    "empty": "",
    "comments": "# a\n  # b = 1\na = 'x' # c\n#",
    "no line end": "a = 'b'",
    "crlf": "[a]\r\nb = 'c'\r\n[[d]]\r\ne = 'f'\r\n",
    "bools": "a = true\nb=false",
    "strings": r"""a = "q\"u\\o\tt\u00e9\U0001F600" """ + "\nb = 'C:\\dir'\nc = \"\"\nd = ''\ne = \"# no comment\"",
    "long strings": 'a = """\nfirst\n  second \\\n     joined"""\nb = \'\'\'\n[[test]]\nname = "no"\'\'\'\n',
    "quotes at the end": 'a = """x"""""\nb = \'\'\'y\'\'\'\'\'\nc = """"""\nd = """\n"""',
    "escaped quotes": 'a = """\\""""\nb = "\\\\"',
    "arrays": 'a = ["x", [\'y\', "z",], # c\n  "]", ]\nb = []\nc = [ ]',
    "array of tables inline": 'test = [{name = "a", path = "b"}, {}]',
    "inline tables": "a = { b = 'c', d.e = 'f', \"g h\" = { i = [] } }",
    "tables": "[a]\nx = '1'\n[a.b]\ny = '2'\n[ c . 'd.e' ]\nz='3'",
    "arrays of tables": "[[t]]\na='1'\n[[t]]\n[t.sub]\nb='2'\n[[t.more]]\nc='3'",
    "out of order": "[a.b.c]\nx='1'\n[a]\ny='2'",
    "dotted keys": "a.b.c = 'x'\na.b.d = 'y'\n'a b'.\"c\" = 'z'",
    "keys that look like numbers": "1 = 'a'\n3.14 = 'b'\ntrue = 'c'\n- = 'd'\n_ = 'e'",
    "workspace": '[workspace]\nmembers = [\n    "crates/*", # all\n]\nexclude=["x"]\n[workspace.package]\nedition = "2021"',
    "tab and spaces": "\t[a]\t\n  b\t=\t'c'\t\n",
}
CARGO = """
[package]
name = "demo"
version = "0.1.0" # not 1.0
rust-version.workspace = true
autotests = false
description = '''
[[test]]
name = "not me"
'''

[dependencies]
serde = { version = "1", features = ["derive"], default-features = false }
near = { path = "../near" }
[target.'cfg(target_os = "linux")'.dependencies]
libc = "0.2"

[[test]]
name = "harness"
path = "tests/harness.rs"
required-features = ["a", "b"]
[[test]]
name = "other"
harness = false
"""


@pytest.mark.parametrize("text", [*TRICKY.values(), CARGO], ids=[*TRICKY, "Cargo.toml"])
def test_it_reads_what_tomllib_reads(text):
    assert loads(text) == tomllib.loads(text)


def test_of_numbers_and_dates_the_text_is_kept():
    text = "a = 1_000\nb = -1.5e3\nc = 0xff\nd = 2026-11-23 10:00:00Z\ne = [1, 2]\nf = {g = nan}\nh = inf # c\ni = 07:32:00"
    assert loads(text) == {
        "a": "1_000", "b": "-1.5e3", "c": "0xff", "d": "2026-11-23 10:00:00Z", "e": ["1", "2"], "f": {"g": "nan"}, "h": "inf", "i": "07:32:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "line 1: a key, and then . or ], is needed"),
        ("a", "line 1: a key, and then . or =, is needed"),
        ("\na = \n", "line 2: a value is missing"),
        ('a = "x\n', "line 1: a key or a string is needed"),
        ("a = 'x' b = 'y'", "line 1: more on the line than belongs there"),
        ("a = 'x'\na = 'y'", "line 2: a is there twice"),
        ("a = 'x'\n[a]", "line 2: a is no table"),
        ("[a]\n[[a]]", "line 2: a is no array of tables"),
        ("a = ['x' 'y']", "line 1: an array needs , or ]"),
        ("a = {b = 'x' c = 'y'}", "line 1: an inline table needs , or }"),
        ("= 'x'", "line 1: a key or a string is needed"),
    ],
)
def test_what_is_no_toml_is_named_with_its_line(text, message):
    with pytest.raises(TomlError) as error:
        loads(text)
    assert str(error.value) == message
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
VALUES = st.recursive(
    st.booleans() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def quoted(text: str) -> str:
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'


def written(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        literal = "'" not in value and all(c == "\t" or (ord(c) >= 32 and ord(c) != 127) for c in value)
        return f"'{value}'" if literal else quoted(value)
    if isinstance(value, list):
        return "[" + ",\n # c ]\n".join(map(written, value)) + "]"
    return "{" + ", ".join(f"{quoted(key)} = {written(inner)}" for key, inner in value.items()) + "}"


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.lists(st.dictionaries(KEYS, VALUES, max_size=2), max_size=3))
def test_whatever_is_written_is_read_back_as_by_tomllib(root, tests):
    text = "".join(f"{quoted(key)} = {written(value)}\n" for key, value in root.items() if key != "test")
    text += "".join("[[test]]\n" + "".join(f"{quoted(k)} = {written(v)}\n" for k, v in test.items()) for test in tests)
    assert loads(text) == tomllib.loads(text)


@settings(max_examples=300, deadline=None)
@given(st.text("[]{}=.,'\"\\#\n ab1", max_size=30))
def test_no_text_makes_it_fail_otherwise_or_read_differently(text):
    try:
        expected = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        expected = None
    try:
        found = loads(text)
    except TomlError:
        found = None
    if expected is not None and "1" not in text:  # numbers are kept as text
        assert found == expected
