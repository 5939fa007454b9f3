# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of audit_verdict: set the result of a host from its audit, so that the recap and the exit status say it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from ..module_utils.audit.record import UNREACHABLE
from ..module_utils.audit.report import verdict
from ..module_utils.compare.items import OK
from ..plugin_utils.controller_action import ControllerAction


class ActionModule(ControllerAction):
    spec: ClassVar[dict[str, dict[str, Any]]] = {"record": {"type": "path", "required": True}}

    def work(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        with open(given["record"], encoding="utf-8") as file:
            record = json.load(file)["record"]
        how = {UNREACHABLE: {"unreachable": True}, OK: {}}.get(record["status"], {"failed": True})
        return {"msg": verdict(record), **how}
