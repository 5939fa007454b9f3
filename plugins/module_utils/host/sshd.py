# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read the configuration of sshd below a given root in sshd's order: the first value of a keyword is in force."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from ..desired.units import FOLDERS, SSHD_FILE
from ..observed.shapes import Given, Sshd
from .files import exists, find, read_text
from .kernel import drop_ins

CONFIG = "/etc/ssh/sshd_config"
DPKG_STATUS = "/var/lib/dpkg/status"
KEYWORDS = ("maxstartups", "maxsessions", "persourcemaxstartups", "persourcepenaltyexemptlist")
DEEPEST = 8  # levels of included files
SOCKET = "ssh.socket"

_KEYWORD = re.compile(r"(\w+)(?:\s*=\s*|\s+)(.*)")
_SOCKET_KEYWORD = re.compile(r"^\s*(Accept|MaxConnections|MaxConnectionsPerSource)\s*=\s*(\S+)\s*$", re.MULTILINE)
_VERSION = re.compile(r"^Package: openssh-server\n(?:.+\n)*?Version: (?:\d+:)?(\d+(?:\.\d+)*)", re.MULTILINE)


class _Line(NamedTuple):
    path: str
    keyword: str
    value: str


def uses_pam(root: str = "/") -> bool:
    """False if there is no such line."""
    return next((line.value.lower() == "yes" for line in _lines(root, CONFIG) if line.keyword == "usepam"), False)


def observe_sshd(root: str = "/") -> Sshd:
    if not exists(CONFIG, root):
        return Sshd()
    found: dict[str, list[Given]] = {}
    reads = False
    for line in _lines(root, CONFIG):
        if line.keyword in KEYWORDS:
            found.setdefault(line.keyword, []).append(Given(line.path, line.value))
        elif line.keyword == "include":
            reads = reads or any(PurePosixPath(SSHD_FILE).match(_absolute(one)) for one in line.value.split())
    return Sshd(_version(root), reads, {**found, **_socket(root)})


def _socket(root: str) -> dict[str, list[Given]]:
    """The keywords of an enabled ssh.socket, the last value first, because it is in force."""
    if not any(find(f"{folder}/*.wants/{SOCKET}", root) for folder in FOLDERS):
        return {}
    main = [path for folder in FOLDERS for path in find(f"{folder}/{SOCKET}", root)][:1]
    found: dict[str, list[Given]] = {}
    for path in [*main, *drop_ins([f"{folder}/{SOCKET}.d" for folder in FOLDERS], root)]:
        for keyword, value in _SOCKET_KEYWORD.findall(read_text(path, root)):
            found.setdefault(keyword.lower(), []).insert(0, Given(path, value))
    return found


def _version(root: str) -> str:
    match = _VERSION.search(read_text(DPKG_STATUS, root))
    return match[1] if match else "unknown"


def _absolute(pattern: str) -> str:
    return os.path.join("/etc/ssh", pattern)


def _lines(root: str, path: str, depth: int = 0) -> Iterator[_Line]:
    """The lines that apply to every connection. The lines of an included file follow their Include. Lines after Match
    apply only to some connections, and are left out until `Match all`."""
    applies = True
    for text in read_text(path, root).splitlines():
        match = _KEYWORD.fullmatch(text.split("#", 1)[0].strip())
        if not match:
            continue
        line = _Line(path, match[1].lower(), re.sub("[\"']", "", match[2]))
        if line.keyword == "match":
            applies = line.value.lower() == "all"
        if not applies:
            continue
        yield line
        for pattern in line.value.split() if line.keyword == "include" and depth < DEEPEST else ():
            for included in find(_absolute(pattern), root):
                yield from _lines(root, included, depth + 1)
