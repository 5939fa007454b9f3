# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of host_seal: only a whole apply may say that the host holds the whole policy."""

from __future__ import annotations

from typing import Any

from ansible import context
from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.plugin_utils.observed_action import this_run


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        observed = self._task.args.get("observed") or {}
        asked = context.CLIARGS
        in_part = asked.get("start_at_task") or asked.get("step") or asked.get("skip_tags")
        if self._task.check_mode or in_part or set(asked.get("tags") or ["all"]) != {"all"} or not observed["policy"]:
            return {"changed": False, "sealed": False}
        arguments = {name: value for name, value in self._task.args.items() if name != "observed"}
        result: dict[str, Any] = self._execute_module(
            module_name="nova.agent_host.host_seal",
            module_args={**arguments, "policy": observed["policy"], "run": this_run(observed)},
            task_vars=task_vars,
        )
        return result
