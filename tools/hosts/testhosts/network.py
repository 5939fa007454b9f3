# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The network of a run: a bridge with its own /24. No packet leaves the machine."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .shell import HostsError, run

DEFAULT_RANGE = "10.213"  # private addresses that are rarely used
FIRST_HOST = 11
MOST_HOSTS = 200


@dataclass(frozen=True)
class Subnet:
    """A /24: the first two bytes of its addresses ("10.213") and the third."""

    range: str
    number: int

    @property
    def bridge(self) -> str:
        """The name of the bridge. The names of its links begin with it."""
        return f"nah{self.number}"

    @property
    def controller(self) -> str:
        """The address at which hosts reach this machine."""
        return f"{self.range}.{self.number}.1"

    @property
    def cidr(self) -> str:
        return f"{self.range}.{self.number}.0/24"

    def host(self, index: int) -> str:
        """Return the address of host 0, 1, ..."""
        return f"{self.range}.{self.number}.{FIRST_HOST + index}"


def is_free(subnet: Subnet) -> bool:
    """Whether no link and no route of this machine uses the subnet."""
    links = {link["ifname"] for link in json.loads(run(["ip", "-json", "link", "show"]) or "[]")}
    routes = json.loads(run(["ip", "-json", "route", "show", "root", subnet.cidr]) or "[]")
    return subnet.bridge not in links and not routes


def up(subnet: Subnet) -> None:
    """Create the bridge. The unreachable route comes first: without the bridge, packets would go to the default gateway."""
    run(["ip", "route", "replace", "unreachable", subnet.cidr, "metric", "4000000"])
    try:
        run(["ip", "link", "add", subnet.bridge, "type", "bridge"])
    except HostsError as error:
        raise HostsError(f"this machine cannot create a network bridge: {error}") from error
    run(["ip", "address", "add", f"{subnet.controller}/24", "dev", subnet.bridge])
    run(["ip", "link", "set", subnet.bridge, "up"])


def down(subnet: Subnet) -> None:
    """Remove the network, also an incomplete one."""
    links = json.loads(run(["ip", "-json", "link", "show", "master", subnet.bridge], check=False) or "[]")
    for link in links:
        # The kernel removes the link of an ended host, but not at once.
        run(["ip", "link", "delete", link["ifname"]], check=False)
    run(["ip", "link", "delete", subnet.bridge], check=False)
    run(["ip", "route", "delete", "unreachable", subnet.cidr, "metric", "4000000"], check=False)
