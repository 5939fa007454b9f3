# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Internet access only for apt: a proxy on the run's bridge that allows a few servers by name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from . import helper
from .network import Subnet

PORT = 3128


def url(subnet: Subnet) -> str:
    """Return the address that hosts use."""
    return f"http://{subnet.controller}:{PORT}"


def start(run: str, subnet: Subnet, directory: Path, servers: list[str], upstream: str) -> None:
    """Start the proxy of a run; it ends with the run's processes."""
    allowed = directory / "proxy.allowed"
    allowed.write_text("".join(f"^{re.escape(server)}$\n" for server in servers))
    configuration = directory / "proxy.conf"
    configuration.write_text(_configuration(subnet, allowed, upstream))
    helper.start(run, subnet, "proxy", ["tinyproxy", "-d", "-c", str(configuration)], PORT, directory / "proxy.log")


def _configuration(subnet: Subnet, allowed: Path, upstream: str) -> str:
    lines = [
        "User nobody",
        "Group nogroup",
        f"Listen {subnet.controller}",
        f"Port {PORT}",
        f"Allow {subnet.cidr}",
        f'Filter "{allowed}"',
        "FilterDefaultDeny Yes",
        "ConnectPort 443",
        "LogLevel Warning",
        "Timeout 120",
    ]
    if upstream:
        lines.append(f"Upstream http {urlsplit(upstream).netloc}")
    return "\n".join(lines) + "\n"
