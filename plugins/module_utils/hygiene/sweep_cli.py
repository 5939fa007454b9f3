# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (runs without AnsibleModule)
"""The command line of agent-sweep."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ..host.files import write_whole
from ..text import LONGEST_PATH, outgoing, safe_text
from . import report
from .policy import HygieneError, load_policy, target_max
from .sweep import Sweep
from .swept import Swept

DESCRIPTION = """Remove target folders of the configured workspaces: those that are too large, and, if a file system
has too little free space, the least recently used ones. Folders in which a build runs are skipped. The rights of each
folder's owner are used. TARGET_MAX_GB in the environment overrides the host's policy."""


def main(policy_file: str) -> int:
    """Return 0; 1 if a folder could not be cleaned; 2 if nothing was tried."""
    parser = argparse.ArgumentParser(prog="agent-sweep", description=DESCRIPTION)
    parser.add_argument("-n", "--dry-run", action="store_true", help="only measure and report what would be cleaned")
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end instead of lines")
    parser.add_argument(
        "--free-space", action="store_true", help="check only free space, and wait for a sweep that is running"
    )
    options = parser.parse_args()
    try:
        policy = load_policy(policy_file)
        limit = target_max(os.environ, policy)
        turn = None if options.dry_run else _take_turn(policy_file, wait=options.free_space)
    except HygieneError as error:
        print(f"agent-sweep: {error}", file=sys.stderr)
        return 2
    before = report.load(policy.report)
    sweep = Sweep(policy, options.dry_run, report.folders_of(before))
    folders: list[Swept] = []
    for swept, most in _results(sweep, limit, options.free_space):
        folders.append(swept)
        if not options.json:
            print(swept.line(most), flush=True)
    if options.json:
        print(json.dumps(_document(sweep, folders, limit), indent=2))
    else:
        for line in _disk_lines(sweep):
            print(line)
    if turn is not None:
        swept_folders = {**sweep.kept, **{one.path: one for one in folders if one.size is not None}}
        made = report.made(before, swept_folders.values(), sweep.disks.values(), not options.free_space)
        write_whole(policy.report, json.dumps(made).encode())
        os.close(turn)
    return int(any(swept.outcome == "failed" for swept in folders))


def _results(sweep: Sweep, limit: int, only_free_space: bool) -> Iterator[tuple[Swept, int]]:
    """Each folder, with its limit."""
    if not only_free_space:
        yield from ((swept, limit) for swept in sweep.survey(limit))
    yield from ((swept, 0) for swept in sweep.by_free_space(surveyed=not only_free_space))


def _document(sweep: Sweep, folders: Sequence[Swept], limit: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "measured_at": int(time.time()),
        "target_max": limit,
        "dry_run": sweep.dry_run,
        "freed": sum(swept.freed for swept in folders),
        "folders": [asdict(swept) for swept in folders],
        "disks": [
            {
                "path": disk.path,
                "free_min": str(disk.least),
                "free_goal": str(disk.goal),
                "before": disk.start._asdict(),
                "now": disk.now._asdict(),
            }
            for disk in sweep.disks.values()
        ],
    }
    for folder in document["folders"]:
        del folder["folder"]  # how the sweep finds it again
    return dict(outgoing(document))


def _disk_lines(sweep: Sweep) -> Iterator[str]:
    for disk in sweep.disks.values():
        path = safe_text(disk.path, LONGEST_PATH)
        if disk.problem():
            yield f"{path}: not swept for free space: {disk.problem()}"
        elif disk.was_short():
            end = (
                ""
                if disk.is_served()
                else f", and not {disk.goal}: the remaining files are in use, or in no target folder"
            )
            yield f"{path}: {disk.start.described()}, less than {disk.least}; now {disk.now.described()}{end}"


def _take_turn(policy_file: str, wait: bool) -> int:
    # Only root can read the file, so no other account can take this lock.
    turn = os.open(policy_file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        raise HygieneError("another sweep is running; see: systemctl status nova-agent-sweep.service") from error
    return turn
