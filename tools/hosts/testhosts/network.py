# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The network of a run: one bridge with a /24 of its own, from which no packet leaves the machine."""

from __future__ import annotations

import json
import os

from .shell import HostsError, run

# The first two bytes of all subnets: private addresses that hardly anyone uses.
RANGE = os.environ.get("TEST_HOSTS_RANGE") or "10.213"
FIRST_HOST = 11
MOST_HOSTS = 200


def bridge(subnet: int) -> str:
    """Return the name of a subnet's bridge; the names of its links begin with it too."""
    return f"nah{subnet}"


def controller_address(subnet: int) -> str:
    """Return the address at which hosts reach this machine."""
    return f"{RANGE}.{subnet}.1"


def host_address(subnet: int, index: int) -> str:
    """Return the address of host 0, 1, ..."""
    return f"{RANGE}.{subnet}.{FIRST_HOST + index}"


def cidr(subnet: int) -> str:
    """Return the subnet itself."""
    return f"{RANGE}.{subnet}.0/24"


def is_free(subnet: int) -> bool:
    """Say whether neither a link nor a route of this machine uses the subnet."""
    links = {link["ifname"] for link in json.loads(run(["ip", "-json", "link", "show"]) or "[]")}
    routes = json.loads(run(["ip", "-json", "route", "show", "root", cidr(subnet)]) or "[]")
    return bridge(subnet) not in links and not routes


def up(subnet: int) -> None:
    """Create the bridge. The unreachable route first: without the bridge, packets would go to the default gateway."""
    name = bridge(subnet)
    run(["ip", "route", "replace", "unreachable", cidr(subnet), "metric", "4000000"])
    try:
        run(["ip", "link", "add", name, "type", "bridge"])
    except HostsError as error:
        raise HostsError(f"this machine cannot create a network bridge: {error}") from error
    run(["ip", "address", "add", f"{controller_address(subnet)}/24", "dev", name])
    run(["ip", "link", "set", name, "up"])


def down(subnet: int) -> None:
    """Remove whatever there is of the network."""
    links = json.loads(run(["ip", "-json", "link", "show", "master", bridge(subnet)], check=False) or "[]")
    for link in links:
        # The kernel removes the link of a host that ended, only not at once.
        run(["ip", "link", "delete", link["ifname"]], check=False)
    run(["ip", "link", "delete", bridge(subnet)], check=False)
    run(["ip", "route", "delete", "unreachable", cidr(subnet), "metric", "4000000"], check=False)
