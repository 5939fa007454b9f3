# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Lay out a host's /proc and /sys below a folder, from the texts in data/hosts."""

from __future__ import annotations

import re
from pathlib import Path

HOSTS = Path(__file__).parent / "data" / "hosts"


def lay_out(name: str, root: Path) -> str:
    """Write the files of data/hosts/NAME.txt below ``root`` and give the root as a string."""
    text = (HOSTS / f"{name}.txt").read_text(encoding="utf-8")
    for path, content in re.findall(r"^== (/.+)\n((?:(?!== /).*\n)*)", text, re.MULTILINE):
        write(root, path, content)
    return str(root)


def write(root: Path, path: str, content: str) -> None:
    """Write one file of the host, replacing it."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
