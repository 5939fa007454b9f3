# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The items of each host, as a file in Ansible's temporary folder, which Ansible removes when the run ends.

A task's result has only the path of this file. So the items are not printed by -v, and not stored in a fact cache or in
variables.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from ansible import constants

from ..module_utils.audit.record import Record
from ..module_utils.compare.items import UNKNOWN
from ..module_utils.report.rows import NOT_SEEN, Audited, HostView


def keep(record: Record, view: HostView) -> str:
    """Write a host's record; returns its path."""
    name = hashlib.sha256(record["host"].encode("utf-8", "surrogateescape")).hexdigest()
    path = os.path.join(constants.DEFAULT_LOCAL_TMP, f"nova-agent-{name}.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"record": record, "view": view}, file)
    return path


def kept_records(variables: Mapping[str, Any], register: str) -> dict[str, Audited]:
    """The record of every host that the play began with, in its order.

    ``variables`` are an action's task_vars, ``register`` the variable that holds each host's result of policy_compare.
    """
    found: dict[str, Audited] = {}
    for host in variables["ansible_play_hosts_all"]:
        try:
            with open(variables["hostvars"][host][register]["record"], encoding="utf-8") as file:
                found[host] = json.load(file)
        except (KeyError, TypeError, OSError, ValueError):
            why = "the comparison of this host did not end"
            found[host] = {"record": {"host": host, "status": UNKNOWN, "why": why, "items": []}, "view": NOT_SEEN}
    return found
