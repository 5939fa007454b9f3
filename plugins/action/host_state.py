# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of host_state: where the observation already shows that all is right, the host is not contacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.module_utils.file_state import StateError, wanted_state
from ansible_collections.nova.agent_host.plugins.module_utils.host_plan import plan
from ansible_collections.nova.agent_host.plugins.module_utils.manifest import Manifest

STALE = "nova_agent_host_stale"


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        observed = arguments.pop("observed", None)
        role = str(arguments.get("role"))
        stale: dict[str, Any] = variables.get(STALE) or {}
        if observed and stale.get(role) != observed.get("token") and self._all_is_right(observed, arguments):
            return {"changed": False, "contacted": False, "changed_paths": [], "kept": [], "pending": []}
        result: dict[str, Any] = self._execute_module(
            module_name="nova.agent_host.host_state", module_args=arguments, task_vars=variables
        )
        if observed:  # from now on the observation is out of date for this role
            result["ansible_facts"] = {STALE: {**stale, role: observed.get("token")}}
        return result

    def _all_is_right(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
        """Whether nothing is to be done; what can't be told here is left to the module, with its messages."""
        try:
            wanted = {entry["path"]: wanted_state(entry) for entry in arguments["entries"]}
            if len(wanted) < len(arguments["entries"]):
                return False
            manifest = Manifest.from_dict(observed["manifest"])
            return plan(arguments["role"], wanted, manifest, observed["files"].get) == []
        except (StateError, KeyError, TypeError, AttributeError):
            return False
