# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of fleet_report: one HTML page about all hosts of the play."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, ClassVar

from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import fleet_report, table
from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import audited_host
from ansible_collections.nova.agent_host.plugins.plugin_utils.controller_action import (
    ControllerAction,
    not_from_facts,
    reported,
)
from ansible_collections.nova.agent_host.plugins.plugin_utils.records import kept_records
from ansible_collections.nova.agent_host.plugins.plugin_utils.report_page import report_page
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import write_reports


class ActionModule(ControllerAction):
    spec: ClassVar[dict[str, dict[str, Any]]] = {
        "variable": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
    }

    def work(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        kept = list(kept_records(variables, given["variable"]).values())
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        page = report_page([audited_host(one["record"], one["view"]) for one in kept], now)
        paths, problems = not_from_facts(variables, {"agent_report_path": given["path"]})
        problems += write_reports({name: (path, page) for name, path in paths.items()})
        summary = table(fleet_report([one["record"] for one in kept], now)).splitlines()[-1]
        path = "not written" if problems else os.path.abspath(given["path"])
        return reported([f"{summary.replace('audit:', 'report:', 1)}; {path}"], problems)
