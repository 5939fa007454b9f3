# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Helper processes of a run: each listens on the run's bridge, and ends with the run."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from . import cgroup
from .network import Subnet
from .shell import HostsError

_START_SECONDS = 60.0


def start(run: str, subnet: Subnet, name: str, command: Sequence[str], port: int, log: Path) -> None:
    """Start a helper, and return when it answers. `name` is the name of its control group."""
    leaves = cgroup.create(run, name)
    join = 'set -e; for leaf in $LEAVES; do echo $$ >"$leaf/cgroup.procs"; done; exec "$@"'
    with log.open("w") as output:
        started = subprocess.Popen(
            ["sh", "-c", join, name, *command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LEAVES": " ".join(map(str, leaves))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        try:
            socket.create_connection((subnet.controller, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise HostsError(f"the {name} of run {run} did not start:\n{log.read_text()}")
