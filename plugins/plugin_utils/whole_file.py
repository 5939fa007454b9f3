# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Files that an action leaves on the controller."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class ReportError(ValueError):
    """A report can't stand where it is to. The message names the variable, what it held and what to do."""


def write_reports(reports: Mapping[str, tuple[str, str]]) -> list[str]:
    """Write all that can be written: path and text by the variable that names the path. The problems of the others."""
    problems = []
    for variable, (path, text) in reports.items():
        try:
            write_report(variable, path, text)
        except ReportError as error:
            problems.append(str(error))
    return problems


def write_report(variable: str, path: str, text: str) -> None:
    """Whole or not at all: whoever looks sees the old report or the new one, and a link leads to it as before.

    ``variable`` is what the user names ``path`` in. Raises ReportError.
    """
    try:
        place = _place(variable, path)
        # In a folder of its own, so that the umask gives the mode and nothing stays behind.
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-") as folder:
            new = Path(folder, "report")
            new.write_text(text, encoding="utf-8")
            new.replace(place)
    except OSError as error:
        raise ReportError(
            f"{variable} is {path}, which can't be written ({error.strerror}): name a file in a folder that exists"
        ) from None


def _place(variable: str, path: str) -> Path:
    """Where the report is to stand: nowhere where there is no file; root could take the place even of /dev/null."""
    if path == "-":
        raise ReportError(f"{variable} is -, but standard output has Ansible's own lines: name a regular file")
    try:
        kind = KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    except FileNotFoundError:  # or a link to nothing, which it will lead to
        kind = None
    if kind:
        raise ReportError(f"{variable} is {path}, {kind}, whose place a report would take: name a regular file")
    place = path
    while True:
        folder = os.path.realpath(os.path.dirname(place))
        # Such as /dev/stdout where output goes to a file: what is written there would be lost.
        if folder.startswith("/proc/"):
            raise ReportError(f"{variable} is {path}, what a process has open: name a regular file")
        place = os.path.join(folder, os.path.basename(place))
        if not os.path.islink(place):
            return Path(place)
        place = os.path.join(folder, os.readlink(place))
