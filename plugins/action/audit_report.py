# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of audit_report: the records of all hosts as a table, JSON and JUnit XML, on the controller."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.nova.agent_host.plugins.module_utils.audit.junit import junit
from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import fleet_report, table
from ansible_collections.nova.agent_host.plugins.plugin_utils.play_records import play_records
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import write_reports

SPEC: dict[str, dict[str, Any]] = {
    "variable": {"type": "str", "required": True},
    "json": {"type": "path"},
    "junit": {"type": "path"},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(SPEC)
        report = fleet_report(
            list(play_records(task_vars or {}, given["variable"]).values()),
            datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        Display().display(table(report))
        wanted = {}
        if given["json"]:
            wanted["agent_audit_json"] = (given["json"], json.dumps(report, indent=1) + "\n")
        if given["junit"]:
            wanted["agent_audit_junit"] = (given["junit"], junit(report))
        problems = write_reports(wanted)
        for problem in problems:
            Display().error(problem, wrap_text=False)
        # Not failed: that would end all hosts here, and how each of them is would not be said.
        return {"changed": False, "status": report["status"], "totals": report["totals"], "problems": problems}
