# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Common code of policy_compare and policy_apply: read the variables, look at the host, compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.loader import lookup_loader

from ..module_utils.compare.items import Comparison, Seen, compare
from ..module_utils.desired import agent_limits, agent_policy
from ..module_utils.desired.features import ROLES, PolicyProblems, host_of, read_policy, wanted_of
from ..module_utils.desired.policy import Host, Policy
from ..module_utils.desired.shapes import Wanted
from ..module_utils.observed.shapes import Observation
from ..module_utils.state.paths import PathState
from ..module_utils.state.record import wanted_record
from ..module_utils.text import plain, safe_text
from . import collection
from .host_action import HostAction, NotCheckable
from .rendering import render

INFO = "nova.agent_host.agent_host_info"
NOT_SEEN = PathState("unreadable", why="was not looked at")


@dataclass(frozen=True)
class Compared:
    """A host, its desired state, and the differences."""

    host: Host
    wanted: Sequence[Wanted]
    result: Comparison


class PolicyAction(HostAction):
    def roles(self) -> list[str]:
        """The options ``roles``, ``tags`` and ``skip_tags``. Raises AnsibleActionFail for an unknown role."""
        options = self._task.args
        given, tags = options.get("roles"), options.get("tags") or ["all"]
        given = ROLES if given is None else given
        unknown = [name for name in given if name not in ROLES]
        if unknown:
            raise AnsibleActionFail(f"roles has {', '.join(unknown)}; allowed are {', '.join(ROLES)}")
        skipped = options.get("skip_tags") or []
        chosen = {role for role in given if ("all" in tags or role in tags) and role not in skipped}
        if chosen and agent_policy.ROLE in given and agent_policy.ROLE not in skipped:
            chosen.add(agent_policy.ROLE)  # every role needs the accounts
        return [role for role in ROLES if role in chosen]

    def policy(self, task_vars: Mapping[str, Any]) -> Policy:
        """The policy of this host, from its variables and the roles' defaults. Raises AnsibleActionFail."""
        from_facts = sorted(set(task_vars.get("ansible_facts") or {}) & set(collection.SPECS))
        if from_facts:
            raise AnsibleActionFail(
                f"{from_facts[0]} is among the facts of this host, and a host does not decide its policy: clear the "
                "fact cache, and set it in the inventory"
            )
        given = {name: value for name, value in task_vars.items() if name in collection.SPECS}
        defaults = {name: value for name, value in collection.DEFAULTS.items() if name not in given}
        values = self._rendered({**given, **defaults}, task_vars)
        try:
            return read_policy(values, collection.SPECS, filter(collection.LIKE_OURS.match, task_vars))
        except PolicyProblems as error:
            raise AnsibleActionFail(str(error)) from None

    def _rendered(self, given: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """The values of variables. Raises AnsibleActionFail for the first one that can't be rendered."""
        templar = self._templar.copy_with_new_env(available_variables={**collection.DEFAULTS, **task_vars})
        try:
            return {name: _plain(value) for name, value in templar.template(given).items()}
        except Exception:  # a template can raise any error
            for name, value in given.items():
                try:
                    templar.template(value)
                except Exception as error:
                    # Not the value, which can have a password.
                    raise AnsibleActionFail(f"{name} can't be rendered: {safe_text(error, 1000)}") from None
            raise

    def look(self, policy: Policy, task_vars: dict[str, Any], **more: Any) -> Observation:
        """One trip to the host. Raises NotCheckable."""
        values = policy.values
        asked = {
            "group": values["agent_policy_group"],
            "users": list(values["agent_policy_users"]),
            "packages": list(values["agent_toolchain_packages"]),
            "audit_logs": list(values["agent_hygiene_audit_logs"]),
            "programs": list(values["agent_policy_agent_programs"]),
        }
        observed = self.ask(Observation, INFO, {**asked, **more}, task_vars)
        missing = sorted(set(asked["users"]) - observed.accounts.users.keys())
        if missing:
            raise NotCheckable(
                f"the host's answer does not say whether it has the account {missing[0]}: it is not used"
            )
        return observed

    def compare(
        self, policy: Policy, observed: Observation, roles: Iterable[str], task_vars: Mapping[str, Any]
    ) -> Compared:
        """Compare an observed host with its policy. Raises HostProblems."""
        names = list(roles)
        host = host_of(policy, observed, names)

        def own(variable: str, value: str, context: Mapping[str, object]) -> str:
            return self._own_file(variable, value, context, task_vars)

        wanted = render(wanted_of(policy, host, names), policy.values, own)
        return Compared(host, wanted, compare(wanted, seen(policy, observed)))

    def _own_file(self, variable: str, value: str, context: Mapping[str, object], task_vars: Mapping[str, Any]) -> str:
        """A user's file instead of the collection's, found and rendered as by Ansible's lookups."""
        kind = "template" if variable.endswith("_template") else "file"
        variables = {**task_vars, **context, "ansible_search_path": self._task.get_search_path()}
        options: dict[str, Any] = {"template_vars": dict(context)} if kind == "template" else {"rstrip": False}
        lookup = lookup_loader.get(f"ansible.builtin.{kind}", loader=self._loader, templar=self._templar)
        try:
            return str(lookup.run([value], variables, **options)[0])
        except Exception as error:  # a template can raise any error
            raise AnsibleActionFail(f"{variable} is {value}, which can't be used: {safe_text(error, 1000)}") from None


def seen(policy: Policy, observed: Observation) -> Seen:
    record = wanted_record()
    return Seen(
        observed.manifest,
        lambda path: observed.files.get(path, NOT_SEEN),
        observed.units,
        {path: (record[path], state) for path, state in observed.record.items() if path in record},
        agent_limits.limits(policy.of(agent_limits.Variables), observed),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return plain(value)
