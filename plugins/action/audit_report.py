# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of audit_report: the records of all hosts as a table, JSON and JUnit XML."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, ClassVar

from ansible_collections.nova.agent_host.plugins.module_utils.audit.junit import junit
from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import fleet_report, table
from ansible_collections.nova.agent_host.plugins.plugin_utils.controller_action import (
    ControllerAction,
    not_from_facts,
    reported,
)
from ansible_collections.nova.agent_host.plugins.plugin_utils.records import kept_records
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import write_reports


class ActionModule(ControllerAction):
    spec: ClassVar[dict[str, dict[str, Any]]] = {
        "variable": {"type": "str", "required": True},
        "json": {"type": "path"},
        "junit": {"type": "path"},
    }

    def work(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        kept = kept_records(variables, given["variable"])
        report = fleet_report(
            [one["record"] for one in kept.values()], datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        )
        texts = {
            "agent_audit_json": lambda: json.dumps(report, indent=1) + "\n",
            "agent_audit_junit": lambda: junit(report),
        }
        paths, problems = not_from_facts(
            variables, {"agent_audit_json": given["json"], "agent_audit_junit": given["junit"]}
        )
        problems += write_reports({name: (path, texts[name]()) for name, path in paths.items()})
        return reported(table(report).split("\n"), problems)
