# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Serve a folder of this machine to the hosts of a run, with http on the run's bridge."""

from __future__ import annotations

import sys
from pathlib import Path

from . import helper
from .registry import Record
from .shell import HostsError

PORT = 3129


def serve(record: Record, folder: Path) -> str:
    """Serve a folder until the run ends, and return its URL. The registry must be locked."""
    if not folder.is_dir():
        raise HostsError(f"{folder} is not a folder")
    log = record.directory / "files.log"
    if log.exists():
        raise HostsError(f"run {record.run} already serves a folder, and can serve only one")
    address = record.network.controller
    command = [sys.executable, "-m", "http.server", "--bind", address, "--directory", str(folder), str(PORT)]
    helper.start(record.run, record.network, "files", command, PORT, log)
    return f"http://{address}:{PORT}"
