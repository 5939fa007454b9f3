# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action: print text line by line, whatever callback is set."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.nova.agent_host.plugins.module_utils.text import safe_lines


class ActionModule(ActionBase):
    # debug prints a text's line breaks as \n unless the user's callback writes YAML; pause prints to terminals only.
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(argument_spec={"text": {"type": "str", "required": True}})
        Display().display(safe_lines(arguments["text"]))
        return {**result, "changed": False}
