# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The report of the last sweep, for agent-status, people and the next sweep. Only root writes the file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from .space import Disk
from .swept import Folder, Swept


def load(path: str) -> dict[str, Any]:
    """The report; empty if it can't be read. Then the next sweep writes a new one."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def folders_of(report: Mapping[str, Any]) -> dict[str, Swept]:
    """The folders by path, as the sweep left them."""
    found = {}
    for one in report.get("folders", ()):
        try:
            found[one["path"]] = Swept(
                one["path"],
                outcome="kept",
                owner=one["owner"],
                size=one["bytes"],
                on_disk=one["on_disk"],
                entries=one["entries"],
                folder=Folder.decode(one["folder"]),
            )
        except (KeyError, TypeError, ValueError):
            continue  # measured again
    return found


def made(
    before: Mapping[str, Any], swept: Iterable[Swept], disks: Iterable[Disk], measured_all: bool
) -> dict[str, Any]:
    """The next report. Without ``measured_all``, folders of ``before`` that were not measured stay."""
    now = time.time()
    results = list(swept)
    folders = {} if measured_all else {one["path"]: one for one in before.get("folders", ())}
    for one in results:
        if one.size is not None and one.folder:
            folders[one.path] = {
                "path": one.path,
                "owner": one.owner,
                "bytes": one.size - one.freed,
                "on_disk": one.on_disk,
                "entries": one.entries,
                "folder": asdict(one.folder),
            }
    cleaned = [one for one in results if one.freed]
    last = {"at": now, "freed": sum(one.freed for one in cleaned), "folders": len(cleaned)}
    return {
        "measured_at": int(now) if measured_all else before.get("measured_at"),
        "folders": list(folders.values()),
        "last": last if cleaned else before.get("last"),
        "disks": [
            {"path": disk.path, "free_min": disk.least.share(disk.now), "free_goal": disk.goal.share(disk.now)}
            for disk in disks
        ],
    }
