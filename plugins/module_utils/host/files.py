# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read files of the system below a given root."""

from __future__ import annotations

import itertools
import os

CHUNK = 1 << 20  # the kernel refuses to read more of /proc/sys at a time
CHUNKS = 64  # of one file; dpkg's status file has a few MiB


def below(root: str, path: str) -> str:
    """Absolute ``path`` of a host whose files are below ``root``."""
    return os.path.join(root, path.lstrip("/"))


def read_text(path: str, root: str = "/") -> str:
    """The text of a file; empty if it is missing or can't be read."""
    try:
        with open(below(root, path), encoding="utf-8", errors="replace") as file:
            return "".join(itertools.islice(iter(lambda: file.read(CHUNK), ""), CHUNKS))
    except OSError:
        return ""
