# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of audit_verdict: lets a host end as its audit came out, so that the recap and the exit status say it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import OK
from ansible_collections.nova.agent_host.plugins.module_utils.audit.record import UNREACHABLE
from ansible_collections.nova.agent_host.plugins.module_utils.audit.report import verdict


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec({"record": {"type": "dict", "required": True}})
        record = given["record"]
        how = {UNREACHABLE: {"unreachable": True}, OK: {}}.get(record["status"], {"failed": True})
        return {"changed": False, "msg": verdict(record), **how}
