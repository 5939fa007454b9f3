# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of policy_look: the variables, then one trip, then what can be told of both.

One task, because at fleet scale each task costs the controller a process a host. What is read or imported up here is
shared by these processes: they are forked from the one that loads this file.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import VARIABLES
from ansible_collections.nova.agent_host.plugins.module_utils.policy.limits import login_limits
from ansible_collections.nova.agent_host.plugins.module_utils.policy.problems import host_problems
from ansible_collections.nova.agent_host.plugins.module_utils.policy.seal import collection_digest, fingerprint, sealed
from ansible_collections.nova.agent_host.plugins.module_utils.policy.summary import host_summary
from ansible_collections.nova.agent_host.plugins.module_utils.policy.variables import policy_problems, typed
from ansible_collections.nova.agent_host.plugins.module_utils.policy.wrappers import Parallelism, parallelism
from ansible_collections.nova.agent_host.plugins.plugin_utils.observed_action import AUDIT

COLLECTION = Path(__file__).parents[2]
NAMES = re.compile(r"agent_(policy|toolchain|wrappers|limits|ceiling|hygiene|status)_")
SPECS: dict[str, dict[str, Any]] = {
    name: spec
    for file in sorted(COLLECTION.glob("roles/*/meta/argument_specs.yml"))
    for name, spec in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"].items()
}
DIGEST = collection_digest(COLLECTION)
# Options of agent_host_info, and the variables that they come from.
ASKED = {
    "group": "agent_policy_group",
    "users": "agent_policy_users",
    "packages": "agent_toolchain_packages",
    **VARIABLES,
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        raw = {name: value for name, value in (task_vars or {}).items() if NAMES.match(name)}
        variables: dict[str, Any] = self._templar.template(raw)
        if problems := policy_problems(variables, SPECS):
            raise AnsibleActionFail("\n".join(problems))
        variables = typed(variables, SPECS)
        asked = {option: variables.get(name) for option, name in ASKED.items()}
        try:
            observed: dict[str, Any] = self._execute_module(
                module_name="nova.agent_host.agent_host_info",
                module_args={option: value for option, value in asked.items() if value not in (None, "")},
                task_vars=task_vars,
            )
        except AnsibleConnectionFailure as error:
            if not (task_vars or {}).get(AUDIT):
                raise
            return {"failed": True, "lost": True, "msg": str(error)}  # an audit goes on, and tells of it at the end
        if observed.get("failed") or observed.get("unreachable"):
            return observed
        observed["looked_at"] = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if "budget" in observed:
            observed["parallelism"] = _parallelism(observed, variables)
        if problems := host_problems(observed, variables):
            return {**observed, "failed": True, "msg": "\n".join(problems)}
        name = (task_vars or {})["inventory_hostname"]
        observed["summary"] = host_summary(observed, name, _login_limits(variables))
        observed["policy"] = ""
        if set(variables) >= set(SPECS):  # all roles are in the play
            observed["policy"] = fingerprint(variables, SPECS, observed, DIGEST)
        return {**observed, "sealed": sealed(observed, variables, observed["policy"])}


def _parallelism(observed: dict[str, Any], variables: dict[str, Any]) -> Parallelism:
    """By the budget alone where the wrappers are not in the play: then the variables have no values."""
    slots, jobs = (variables.get(f"agent_wrappers_{name}") or "auto" for name in ("slots", "jobs"))
    return parallelism(observed["budget"], observed["cpus"], slots, jobs)


def _login_limits(variables: dict[str, Any]) -> dict[str, Any] | None:
    """The limits of agents' logins in the kernel's units; None where no role in the play limits logins."""
    if "agent_limits_login_address_space" not in variables:
        return None
    names = ("login_address_space", "core", "nofile", "nproc", "extra")
    kernel: dict[str, Any] = login_limits(*(variables[f"agent_limits_{name}"] for name in names))["kernel"]
    return kernel
