# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of rustup_toolchain: where the observation already shows that all is right, the host is not contacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.action.host_state import STALE
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain_request import Request, RequestError


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        observed = arguments.pop("observed", None)
        key = f"rustup_toolchain {arguments.get('path')}"
        stale: dict[str, Any] = variables.get(STALE) or {}
        if observed and stale.get(key) != observed.get("token") and _all_is_right(observed, arguments):
            return {"changed": False, "contacted": False, "installed": [], "removed": [], "repaired": [], "in_use": []}
        result: dict[str, Any] = self._execute_module(
            module_name="nova.agent_host.rustup_toolchain", module_args=arguments, task_vars=variables
        )
        if observed:  # from now on the observation is out of date for this tree
            result["ansible_facts"] = {STALE: {**stale, key: observed.get("token")}}
        return result


def _all_is_right(observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Whether nothing is to be done; what can't be told here is left to the module, with its messages."""
    try:
        tree = arguments["path"]
        role = arguments.get("role", "agent_toolchain")
        seen = observed["toolchains"][tree]
        wanted = Request.from_options({**arguments, "purge": boolean(arguments.get("purge", False))})
        return bool(
            arguments.get("state", "present") == "present"
            and seen["present"]
            and not seen["problems"]
            and seen["request"] == wanted.to_dict()
            and observed["manifest"]["roles"][role]["trees"] == [tree]
        )
    except (RequestError, KeyError, TypeError, AttributeError):
        return False
