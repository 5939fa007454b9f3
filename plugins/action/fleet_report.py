# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of fleet_report: what is known of all hosts of the play as one HTML page, on the controller."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.nova.agent_host.plugins.module_utils.audit_host import Record
from ansible_collections.nova.agent_host.plugins.module_utils.audit_items import UNKNOWN
from ansible_collections.nova.agent_host.plugins.module_utils.audit_report import fleet_report, table
from ansible_collections.nova.agent_host.plugins.module_utils.report_rows import fleet_rows, fleet_totals
from ansible_collections.nova.agent_host.plugins.plugin_utils.report_page import report_page
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import write_whole

SPEC: dict[str, dict[str, Any]] = {
    "audited": {"type": "str", "required": True},
    "observed": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(SPEC)
        hosts = list(_hosts(task_vars or {}, given["audited"], given["observed"]))
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = fleet_rows(hosts)
        totals = fleet_totals(rows)
        try:
            write_whole(given["path"], report_page(rows, totals, now))
        except OSError as error:
            raise AnsibleActionFail(
                f"agent_report_path is {given['path']}, which can't be written ({error.strerror}): "
                "name a file in a folder that exists"
            ) from None
        path = os.path.abspath(given["path"])
        summary = table(fleet_report([record for record, _observed in hosts], now)).splitlines()[-1]
        Display().display(f"{summary.replace('audit:', 'report:', 1)}; {path}")
        return {"changed": False, "path": path, "totals": totals}


def _hosts(variables: Mapping[str, Any], audited: str, observed: str) -> Iterator[tuple[Record, Mapping[str, Any]]]:
    for host in variables["ansible_play_hosts_all"]:
        known = variables["hostvars"][host]
        try:
            record: Record = known[audited]["record"]
        except (KeyError, TypeError):
            record = {"host": host, "status": UNKNOWN, "why": "looking at this host broke off", "items": []}
        yield record, known.get(observed) or {}
