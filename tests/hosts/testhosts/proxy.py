# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The way out for apt, and for nothing else: a proxy on the run's bridge that knows a few servers by name."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from . import cgroup, network
from .shell import HostsError

PORT = 3128
_START_SECONDS = 10.0


def url(subnet: int) -> str:
    """Return the address that hosts use."""
    return f"http://{network.controller_address(subnet)}:{PORT}"


def start(run: str, subnet: int, directory: Path, servers: list[str], upstream: str) -> None:
    """Start the proxy of a run; it ends with the run's processes."""
    allowed = directory / "proxy.allowed"
    allowed.write_text("".join(f"^{re.escape(server)}$\n" for server in servers))
    configuration = directory / "proxy.conf"
    configuration.write_text(_configuration(subnet, allowed, upstream))
    leaves = cgroup.create(run, "proxy")
    join = 'set -e; for leaf; do echo $$ >"$leaf/cgroup.procs"; done; exec tinyproxy -d -c "$CONFIGURATION"'
    with (directory / "proxy.log").open("w") as log:
        started = subprocess.Popen(
            ["sh", "-c", join, "proxy", *map(str, leaves)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CONFIGURATION": str(configuration)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _await(started, subnet, directory / "proxy.log")


def _configuration(subnet: int, allowed: Path, upstream: str) -> str:
    lines = [
        "User nobody",
        "Group nogroup",
        f"Listen {network.controller_address(subnet)}",
        f"Port {PORT}",
        f"Allow {network.cidr(subnet)}",
        f'Filter "{allowed}"',
        "FilterDefaultDeny Yes",
        "ConnectPort 443",
        "LogLevel Warning",
        "Timeout 120",
    ]
    if upstream:
        lines.append(f"Upstream http {urlsplit(upstream).netloc}")
    return "\n".join(lines) + "\n"


def _await(started: subprocess.Popen[bytes], subnet: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        try:
            socket.create_connection((network.controller_address(subnet), PORT), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise HostsError(f"the apt proxy did not start:\n{log.read_text()}")
