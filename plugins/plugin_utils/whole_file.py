# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Write reports on the controller: a reader sees the old file or the new one, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


class ReportError(ValueError):
    """A report can't be written. The message names the variable, its value and what to do."""


def write_reports(reports: Mapping[str, tuple[str, str]]) -> list[str]:
    """Write each (path, text), by the variable that has the path. Returns the problems of those that failed."""
    problems = []
    for variable, (path, text) in reports.items():
        try:
            write_report(variable, path, text)
        except ReportError as error:
            problems.append(str(error))
    return problems


def write_report(variable: str, path: str, text: str) -> None:
    """Replace the file ``path``, which variable ``variable`` has. A link stays. Raises ReportError."""
    target = Path(os.path.realpath(path))
    # /dev/stdout may be a regular file, but Ansible's own lines are in it.
    special = path == "-" or os.path.abspath(path).startswith(("/dev/", "/proc/"))
    if special or (target.exists() and not target.is_file()):
        raise ReportError(f"{variable} is {path}, which is no regular file: name a regular file")
    try:
        # A new file in a new folder has the mode that the umask gives, and is removed if a step fails.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
            new = Path(folder, "report")
            new.write_text(text, encoding="utf-8")
            new.replace(target)
    except OSError as error:
        raise ReportError(
            f"{variable} is {path}, which can't be written ({error.strerror}): name a file in a folder that exists"
        ) from None
