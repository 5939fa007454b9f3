# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read files of the system below a given root."""

from __future__ import annotations

import os

MOST_BYTES = 64 << 20  # of one file; dpkg's status file has a few MiB


def below(root: str, path: str) -> str:
    """Absolute ``path`` of a host whose files are below ``root``."""
    return os.path.join(root, path.lstrip("/"))


def read_text(path: str, root: str = "/") -> str:
    """The text of a file; empty if it is missing or can't be read."""
    try:
        with open(below(root, path), encoding="utf-8", errors="replace") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return ""
