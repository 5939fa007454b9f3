# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of site_report: how many agents fit on the hosts, and how the run ended."""

from __future__ import annotations

from typing import Any, ClassVar

from ..module_utils.desired.features import ROLES
from ..module_utils.report.summary import fleet_lines
from ..plugin_utils.controller_action import ControllerAction, shown


class ActionModule(ControllerAction):
    spec: ClassVar[dict[str, dict[str, Any]]] = {"variable": {"type": "str", "required": True}}

    def work(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        summaries, roles, offered = {}, list(ROLES), []
        for host in variables["ansible_play_hosts_all"]:
            compared = variables["hostvars"][host].get(given["variable"]) or {}
            roles = compared.get("roles", roles)
            offered += [host] if compared.get("ceiling_offered") else []
            summaries[host] = [str(line) for line in compared.get("summary") or []]
        done = [host for host in variables["ansible_play_hosts"] if summaries.get(host)]
        left_out = [role for role in ROLES if role not in roles]
        notes = []
        if not roles:
            notes.append("no role was selected (--tags, --skip-tags), so nothing was looked at")
        elif left_out:
            notes.append(f"not looked at: {', '.join(left_out)} (--tags, --skip-tags)")
        if self._task.check_mode:
            notes.append("check mode: nothing was changed")
        return shown(fleet_lines(summaries, done, "".join(f"; {note}" for note in notes), offered))
