# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of audit_report: the records of all hosts as a table, JSON, JUnit XML and an HTML page."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..module_utils.audit.junit import junit
from ..module_utils.audit.report import fleet_report, table
from ..plugin_utils.controller_action import ControllerAction, not_from_facts, reported
from ..plugin_utils.records import kept_records
from ..plugin_utils.report_page import report_page
from ..plugin_utils.whole_file import write_reports


class ActionModule(ControllerAction):
    spec: ClassVar[dict[str, dict[str, Any]]] = {
        "variable": {"type": "str", "required": True},
        "json": {"type": "path"},
        "junit": {"type": "path"},
        "page": {"type": "path"},
    }

    def work(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        kept = list(kept_records(variables, given["variable"]).values())
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        report = fleet_report([one["record"] for one in kept], now)
        # By the variable of the playbook that has the path.
        texts = {
            "agent_audit_json": lambda: json.dumps(report, indent=1) + "\n",
            "agent_audit_junit": lambda: junit(report),
            "agent_report_path": lambda: report_page(kept, now),
        }
        paths, problems = not_from_facts(variables, dict(zip(texts, (given["json"], given["junit"], given["page"]))))
        problems += write_reports({name: (path, texts[name]()) for name, path in paths.items()})
        lines = table(report).split("\n")
        if given["page"]:  # it has the details
            path = "not written" if problems else os.path.abspath(given["page"])
            lines = [f"{lines[-1].replace('audit:', 'report:', 1)}; {path}"]
        return reported(lines, problems)
