# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The limits of a process as /proc/PID/limits has them."""

from __future__ import annotations

import re

from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Limits

# Rows of /proc/PID/limits, by their item in limits.conf.
ROWS = {
    "as": "Max address space",
    "core": "Max core file size",
    "cpu": "Max cpu time",
    "data": "Max data size",
    "fsize": "Max file size",
    "locks": "Max file locks",
    "memlock": "Max locked memory",
    "msgqueue": "Max msgqueue size",
    "nofile": "Max open files",
    "nproc": "Max processes",
    "rss": "Max resident set",
    "rtprio": "Max realtime priority",
    "sigpending": "Max pending signals",
    "stack": "Max stack size",
}


def read_limits(text: str) -> Limits:
    """Soft and hard by item, None for no limit; empty for a zombie, which has none."""
    found: Limits = {}
    for item, row in ROWS.items():
        match = re.search(rf"^{row}\s+(\S+)\s+(\S+)", text, re.MULTILINE)
        if match:
            found[item] = [None if value == "unlimited" else int(value) for value in match.groups()]
    return found
