# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of policy_apply: look, compare, and if files or units differ, correct them with one call."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..module_utils.compare.items import conditions_of
from ..module_utils.desired import agent_policy
from ..module_utils.desired.features import retired_of
from ..module_utils.observed.answers import Outcome
from ..module_utils.observed.encode import encode
from ..module_utils.observed.shapes import Observation
from ..module_utils.text import and_more
from ..plugin_utils.policy_action import INFO, PolicyAction
from ..plugin_utils.rendering import module_roles

ABSENT = "absent"
SHOWN = 10  # paths, units or warnings in a result


class ActionModule(PolicyAction):
    def work(self, variables: dict[str, Any]) -> dict[str, Any]:
        return self._remove(variables) if self._task.args.get("state") == ABSENT else self._apply(variables)

    def _apply(self, variables: dict[str, Any]) -> dict[str, Any]:
        roles, policy = self.roles(), self.policy(variables)
        observed = self.look(policy, variables)
        if self._task.check_mode:
            observed = agent_policy.after_leaving(policy, observed)
        compared = self.compare(policy, observed, roles, variables)
        if not compared.result.files_differ:
            return {"contacted": False}
        arguments = {"roles": module_roles(compared.wanted), **asdict(compared.result.conditions)}
        return self._ask(arguments, variables)

    def _remove(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Remove everything that the host's manifest has for the roles."""
        given = self._task.args.get("roles")
        observed = self.ask(Observation, INFO, {}, variables)
        names = [name for name in reversed(list(observed.manifest.roles)) if given is None or name in given]
        wanted = retired_of(observed, names)
        arguments = {"roles": module_roles(wanted), **asdict(conditions_of(wanted))}
        return self._ask(arguments, variables) if names else {}

    def _ask(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        applied = self.ask(Outcome, "nova.agent_host.host_state", arguments, variables)
        answer: dict[str, Any] = encode(applied)
        if not answer["diff"]:
            del answer["diff"]
        lists = [name for name, value in answer.items() if isinstance(value, list) and name != "diff"]
        # A new host has more than a hundred paths, and callbacks can store each result.
        return {"contacted": True, **answer, **{name: and_more(answer[name], SHOWN) for name in lists}}
