# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What audit_record noted of the hosts of a play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import UNKNOWN
from ansible_collections.nova.agent_host.plugins.module_utils.audit.record import Record


def play_records(variables: Mapping[str, Any], name: str) -> dict[str, Record]:
    """The record of every host that the play began with, in its order; of a host without one, that it is unknown.

    ``variables`` are an action's task_vars, and ``name`` the variable in which each host has audit_record's result.
    """
    records: dict[str, Record] = {}
    for host in variables["ansible_play_hosts_all"]:
        try:
            records[host] = variables["hostvars"][host][name]["record"]
        except (KeyError, TypeError):
            records[host] = {"host": host, "status": UNKNOWN, "why": "looking at this host broke off", "items": []}
    return records
