# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""TOML for Pythons without tomllib (before 3.11, so Ubuntu 22.04's): what Cargo.toml files are made of.

Strings of all four kinds, arrays, inline tables, tables and arrays of tables are read as tomllib does. Of numbers,
dates and the like only the text is kept, except true and false. Lenient: a file that cargo refuses may be accepted.
"""

from __future__ import annotations

import re
from typing import Any

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")
_LINE_END = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfre\"\\])|([ \t]*\r?\n[ \t\r\n]*))")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
# The longest first; a string may end in one or two quotes of its own.
_STRING = re.compile(
    r'"""\r?\n?(?P<long>(?:[^\\]|\\.)*?"{0,2})"""(?!")'
    r"|'''\r?\n?(?P<plain>.*?'{0,2})'''(?!')"
    r'|"(?P<basic>(?:[^"\\\n]|\\.)*)"'
    r"|'(?P<literal>[^'\n]*)'",
    re.DOTALL,
)

Table = dict[str, Any]


class TomlError(ValueError):
    """The text is no TOML; the message names the line."""


def loads(text: str) -> Table:
    """Read a document. Raises TomlError."""
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def document(self) -> Table:
        root: Table = {}
        table = root
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self._take("[["):
                table = self._append(root, self._keys("]]"))
            elif self._take("["):
                table = self._descend(root, self._keys("]"))
            else:
                self._pair(table)
            if not self._skip(_LINE_END):
                raise self._error("more on the line than belongs there")
            self._skip(_BLANK)
        return root

    def _error(self, what: str) -> TomlError:
        return TomlError(f"line {self.text.count(chr(10), 0, self.at) + 1}: {what}")

    def _skip(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def _take(self, mark: str) -> bool:
        found = self.text.startswith(mark, self.at)
        if found:
            self.at += len(mark)
        return found

    def _keys(self, end: str) -> list[str]:
        """A key, dotted or not, up to ``end``."""
        keys = []
        while True:
            self._skip(_SPACE)
            bare = self._skip(_BARE_KEY)
            keys.append(bare[0] if bare else self._string())
            self._skip(_SPACE)
            if self._take(end):
                return keys
            if not self._take("."):
                raise self._error(f"a key, and then . or {end}, is needed")

    def _pair(self, table: Table) -> None:
        keys = self._keys("=")
        self._skip(_SPACE)
        inner = self._descend(table, keys[:-1])
        if keys[-1] in inner:
            raise self._error(f"{keys[-1]} is there twice")
        inner[keys[-1]] = self._value()

    def _value(self) -> Any:
        if self.text.startswith(('"', "'"), self.at):
            return self._string()
        if self._take("["):
            return self._array()
        if self._take("{"):
            return self._inline_table()
        bare = self._skip(_BARE_VALUE)
        if not bare:
            raise self._error("a value is missing")
        return {"true": True, "false": False}.get(bare[0], bare[0])

    def _array(self) -> list[Any]:
        values: list[Any] = []
        while True:
            self._skip(_BLANK)
            if self._take("]"):
                return values
            values.append(self._value())
            self._skip(_BLANK)
            if not self._take(",") and not self.text.startswith("]", self.at):
                raise self._error("an array needs , or ]")

    def _inline_table(self) -> Table:
        table: Table = {}
        while True:
            self._skip(_BLANK)
            if self._take("}"):
                return table
            self._pair(table)
            self._skip(_BLANK)
            if not self._take(",") and not self.text.startswith("}", self.at):
                raise self._error("an inline table needs , or }")

    def _string(self) -> str:
        match = self._skip(_STRING)
        if not match:
            raise self._error("a key or a string is needed")
        kind = str(match.lastgroup)
        text = match[kind].replace("\r\n", "\n")
        return text if kind in ("plain", "literal") else _ESCAPE.sub(_unescape, text)

    def _descend(self, table: Table, keys: list[str]) -> Table:
        for key in keys:
            inner = table.setdefault(key, {})
            if isinstance(inner, list) and inner and isinstance(inner[-1], dict):
                inner = inner[-1]
            if not isinstance(inner, dict):
                raise self._error(f"{key} is no table")
            table = inner
        return table

    def _append(self, root: Table, keys: list[str]) -> Table:
        tables = self._descend(root, keys[:-1]).setdefault(keys[-1], [])
        if not isinstance(tables, list):
            raise self._error(f"{keys[-1]} is no array of tables")
        tables.append({})
        last: Table = tables[-1]
        return last


def _unescape(match: re.Match[str]) -> str:
    if match[1] or match[2]:
        return chr(int(match[1] or match[2], 16))
    return "" if match[4] else _ESCAPES[match[3]]
