# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of audit_record: what the comparison found on one host; the host is not contacted."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.module_utils.audit.record import compared, not_compared
from ansible_collections.nova.agent_host.plugins.plugin_utils.observed_action import AUDITED

POLICY: dict[str, Any] = {
    "group": {"type": "str", "required": True},
    "users": {"type": "list", "elements": "str", "required": True},
    "accounts": {"type": "dict", "required": True},
    "limits": {"type": "dict", "required": True},
    "ceiling": {"type": "dict", "required": True},
    "audit_logs": {"type": "list", "elements": "dict"},
}
SPEC: dict[str, dict[str, Any]] = {
    "observed": {"type": "dict", "required": True},
    "seen": {"type": "dict"},
    "policy": {"type": "dict", "options": POLICY},
    "failure": {"type": "dict"},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(
            SPEC, required_one_of=[("failure", "seen")], required_by={"seen": "policy"}
        )
        variables = task_vars or {}
        host, observed, failure = variables["inventory_hostname"], given["observed"], given["failure"]
        noted = variables["ansible_facts"].get(AUDITED) or {}
        if noted.get("token") != observed.get("token"):
            noted = {}  # of an earlier run, from a cache of facts
        noted = {"items": [], "units": {}, **noted}
        if failure:
            why = observed["msg"] if observed.get("unreachable") else failure.get("msg") or "it gave no message"
            why = str(why).removeprefix("Task failed: ")  # Ansible's own words in front of every message
            record = not_compared(host, noted, observed, why, lost=bool(failure.get("lost")))
        else:
            record = compared(host, noted, observed, given["seen"], given["policy"])
        return {"changed": False, "record": record}
