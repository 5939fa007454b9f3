# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Actions whose module runs only where the one observation does not show already that all is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase

STALE = "nova_agent_host_stale"


class ObservedAction(ActionBase):
    """The option ``observed`` is used on the controller alone: the module does not get it.

    An observation that a change has made out of date is not used again. That is noted as a fact, by what was changed.
    """

    _supports_check_mode = True
    module_name: str
    nothing_done: ClassVar[dict[str, Any]]  # the module's return values where it has nothing to do

    def subject(self, arguments: Mapping[str, Any]) -> str:
        """What the module would change, as a key."""
        raise NotImplementedError

    def all_is_right(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
        """Whether nothing is to be done. What can't be told here raises ValueError, KeyError or TypeError."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        observed = arguments.pop("observed", None)
        subject = self.subject(arguments)
        stale: dict[str, Any] = variables.get(STALE) or {}
        if (
            observed
            and stale.get(subject) != observed.get("token")
            and self.tells_that_all_is_right(observed, arguments)
        ):
            return {"changed": False, "contacted": False, **self.nothing_done}
        result: dict[str, Any] = self._execute_module(
            module_name=self.module_name, module_args=arguments, task_vars=variables
        )
        if observed:
            result["ansible_facts"] = {STALE: {**stale, subject: observed.get("token")}}
        return result

    def tells_that_all_is_right(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
        """``all_is_right``, and false where that can't be told: the module looks for itself, and has the messages."""
        try:
            return self.all_is_right(observed, arguments)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
