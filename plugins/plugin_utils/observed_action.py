# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Actions whose module runs only where the one observation does not show already that all is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import Item
from ansible_collections.nova.agent_host.plugins.module_utils.audit.units import merged_units

STALE = "nova_agent_host_stale"
AUDIT = "__agent_audit"  # a play's variable: compare and tell, whatever the task registers or notifies
AUDITED = "nova_agent_host_audited"


def this_run(observed: Mapping[str, Any]) -> dict[str, str]:
    """How this apply names itself to the host's manifest."""
    return {"token": observed["token"], "seen": observed["manifest"]["run"]}


class ObservedAction(ActionBase):
    """The option ``observed`` is used on the controller alone: the module does not get it.

    An observation that a change has made out of date is not used again. That is noted as a fact, by what was changed.
    An audit notes its findings as a fact, by role, so that it takes in whatever roles a play has.
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

    def right_items(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Item]:
        """The items of an audit where all is right."""
        raise NotImplementedError

    def found_items(self, result: dict[str, Any], arguments: Mapping[str, Any]) -> list[Item]:
        """The items of an audit, from what the module returned."""
        raise NotImplementedError

    def audit_arguments(self) -> dict[str, Any]:
        """What the module is given beside the task's own arguments in an audit."""
        return {}

    def units(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The units of systemd that the arguments bring or change, as audit.units has them."""
        return {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        observed = arguments.pop("observed", None)
        if variables.get(AUDIT):
            return self.audit(observed, arguments, variables)
        subject = self.subject(arguments)
        stale: dict[str, Any] = variables.get("ansible_facts", {}).get(STALE) or {}
        if (
            observed
            and stale.get(subject) != observed.get("token")
            and self.tells_that_all_is_right(observed, arguments)
        ):
            return {"changed": False, "contacted": False, **self.nothing_done}
        result = self.ask_module({**arguments, "run": this_run(observed)} if observed else arguments, variables)
        if observed:
            result["ansible_facts"] = {STALE: {**stale, subject: observed.get("token")}}
        return result

    def audit(
        self, observed: Mapping[str, Any] | None, arguments: dict[str, Any], variables: dict[str, Any]
    ) -> dict[str, Any]:
        """Compare, and note the findings. Nothing counts as changed: no handler runs and no task follows from it."""
        if observed and self.tells_that_all_is_right(observed, arguments):
            result: dict[str, Any] = {"contacted": False}
            items = self.right_items(observed, arguments)
        else:
            try:
                result = self.ask_module({**arguments, **self.audit_arguments()}, variables)
            except AnsibleConnectionFailure as error:  # ends here, before every role tries for itself
                return {"failed": True, "lost": True, "msg": str(error)}
            if result.get("failed"):
                return result
            items = self.found_items(result, arguments)
        token = (observed or {}).get("token")
        noted = variables.get("ansible_facts", {}).get(AUDITED) or {}
        if not noted or noted["token"] != token:  # of an earlier run, from a cache of facts
            noted = {"token": token, "items": [], "units": {}}
        known = {item["item"] for item in noted["items"]}  # folders that several roles imply are told once
        noted = {
            "token": token,
            "items": noted["items"] + [item for item in items if item["item"] not in known],
            "units": merged_units(noted["units"], self.units(arguments)),
        }
        return {
            **self.nothing_done,
            "contacted": result["contacted"],
            "changed": False,
            "ansible_facts": {AUDITED: noted},
        }

    def ask_module(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_name=self.module_name, module_args=arguments, task_vars=variables
        )
        return result

    def tells_that_all_is_right(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
        """``all_is_right``, and false where that can't be told: the module looks for itself, and has the messages."""
        try:
            return self.all_is_right(observed, arguments)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
