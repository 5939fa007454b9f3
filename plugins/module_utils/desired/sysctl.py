# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The collection's file of kernel settings: settings and comments. Pure.

A comment in the file has the value before the first apply, so that it can be restored::

    # kernel.keys.maxkeys was 200
    kernel.keys.maxkeys = 1000
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FILE = "/etc/sysctl.d/90-nova-agent.conf"
_LARGEST_INT = (1 << 31) - 1
#: The settings of the collection, each with the largest value that the kernel accepts.
LARGEST = {
    "fs.file-max": (1 << 63) - 1,
    "fs.inotify.max_user_instances": _LARGEST_INT,
    "fs.inotify.max_user_watches": _LARGEST_INT,
    "fs.nr_open": (1 << 31) - 64,
    "kernel.keys.maxbytes": _LARGEST_INT,
    "kernel.keys.maxkeys": _LARGEST_INT,
    "kernel.pid_max": 1 << 22,
    "kernel.threads-max": (1 << 30) - 1,
    "vm.max_map_count": _LARGEST_INT,
}

_NOTE = re.compile(r"^# (\S+) was ([0-9]{1,19})$", re.MULTILINE)
_LINE = re.compile(r"^\s*-?\s*([^#;=\s]+)\s*=\s*([0-9]{1,19})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Raised:
    """A setting that the collection's file raises."""

    name: str
    value: int
    before: int


def assignments(text: str) -> dict[str, int]:
    """The settings of LARGEST in a file of sysctl.d, with dots for slashes, without values that the kernel refuses."""
    found = ((name.replace("/", "."), int(value)) for name, value in _LINE.findall(text))
    return {name: value for name, value in found if value <= LARGEST.get(name, -1)}


def noted(text: str) -> Mapping[str, int]:
    """The values before the first apply, from the collection's own file."""
    return {name: int(value) for name, value in _NOTE.findall(text)}
