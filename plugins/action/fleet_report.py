# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of fleet_report: what is known of all hosts of the play as one HTML page, on the controller."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import fleet_report, table
from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import audited_host, fleet_totals
from ansible_collections.nova.agent_host.plugins.plugin_utils.play_records import play_records
from ansible_collections.nova.agent_host.plugins.plugin_utils.report_page import report_page
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import write_reports

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
        variables = task_vars or {}
        records = play_records(variables, given["audited"])
        hosts = [
            audited_host(record, variables["hostvars"][host].get(given["observed"]) or {})
            for host, record in records.items()
        ]
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        problems = write_reports({"agent_report_path": (given["path"], report_page(hosts, now))})
        path = os.path.abspath(given["path"])
        summary = table(fleet_report(list(records.values()), now)).splitlines()[-1]
        Display().display(f"{summary.replace('audit:', 'report:', 1)}; {'not written' if problems else path}")
        for problem in problems:
            Display().error(problem, wrap_text=False)
        # Not failed: that would end all hosts here, and how each of them is would not be said.
        return {"changed": False, "path": path, "totals": asdict(fleet_totals(hosts)), "problems": problems}
