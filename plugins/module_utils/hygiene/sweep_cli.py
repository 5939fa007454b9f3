# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (no AnsibleModule here, whose functions pylint would have)
"""The command line of agent-sweep."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import (
    HygieneError,
    load_policy,
    target_max,
)
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.sweep import sweep
from ansible_collections.nova.agent_host.plugins.module_utils.text import outgoing

DESCRIPTION = """Remove the target folders of the configured workspaces that are too large, with the rights of each
folder's owner, if no build is running there. TARGET_MAX_GB in the environment overrides the host's policy."""


def main(policy_file: str, arguments: Sequence[str] | None = None) -> int:
    """Gives 0; 1 where a folder that is too large could not be cleaned; 2 where nothing was tried."""
    parser = argparse.ArgumentParser(prog="agent-sweep", description=DESCRIPTION)
    parser.add_argument("-n", "--dry-run", action="store_true", help="measure, and tell what would be cleaned")
    parser.add_argument("--json", action="store_true", help="one JSON document at the end instead of a line a folder")
    options = parser.parse_args(arguments)
    try:
        policy = load_policy(policy_file)
        limit = target_max(os.environ, policy)
        turn = None if options.dry_run else _take_turn(policy_file)
    except HygieneError as error:
        print(f"agent-sweep: {error}", file=sys.stderr)
        return 2
    folders = []
    for swept in sweep(policy, limit, options.dry_run):
        folders.append(swept)
        if not options.json:
            print(swept.line(limit), flush=True)
    document: dict[str, Any] = {
        "measured_at": int(time.time()),
        "target_max": limit,
        "dry_run": options.dry_run,
        "freed": sum(swept.freed for swept in folders),
        "folders": [outgoing(asdict(swept)) for swept in folders],
    }
    if options.json:
        print(json.dumps(document, indent=2))
    if turn is not None:
        _leave_report(policy.report, document)
        os.close(turn)
    return int(any(swept.outcome == "failed" for swept in folders))


def _take_turn(policy_file: str) -> int:
    # Only root can read the file, so nobody else can hold this lock.
    turn = os.open(policy_file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HygieneError("another sweep is running; see: systemctl status nova-agent-sweep.service") from error
    return turn


def _leave_report(path: str, document: dict[str, Any]) -> None:
    """What agent-status and people read: it costs nothing, where measuring again costs minutes."""
    report = {
        "measured_at": document["measured_at"],
        "folders": [
            {"path": folder["path"], "owner": folder["owner"], "bytes": folder["size"] - folder["freed"]}
            for folder in document["folders"]
            if folder["size"] is not None
        ],
    }
    beside = f"{path}.new"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644), "w") as file:
        json.dump(report, file)
        os.fchmod(file.fileno(), 0o644)
    os.replace(beside, path)
