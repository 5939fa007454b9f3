# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What policy_compare and policy_apply share: read the variables, look at the host, compare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible.errors import AnsibleActionFail
from ansible.module_utils.json_utils import _filter_non_json_lines
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible_collections.nova.agent_host.plugins.module_utils.compare.items import Comparison, Seen, compare
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_limits
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import (
    ROLES,
    PolicyProblems,
    host_of,
    read_policy,
    wanted_of,
)
from ansible_collections.nova.agent_host.plugins.module_utils.desired.policy import Host, Policy
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Wanted
from ansible_collections.nova.agent_host.plugins.module_utils.observed.decode import DecodeError, decode
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Observation
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import PathState
from ansible_collections.nova.agent_host.plugins.module_utils.state.record import wanted_record
from ansible_collections.nova.agent_host.plugins.module_utils.text import outgoing, safe_lines, safe_text
from ansible_collections.nova.agent_host.plugins.plugin_utils import collection
from ansible_collections.nova.agent_host.plugins.plugin_utils.rendering import render

INFO = "nova.agent_host.agent_host_info"
INTERPRETER = "discovered_interpreter_python"
T = TypeVar("T")
# Keys that ansible-core itself adds to a module's answer.
CORE_KEYS = {
    *("changed", "failed", "unreachable", "msg", "invocation", "warnings", "deprecations", "exception"),
    "ansible_facts",
}


class NotCheckable(Exception):
    """The host's answer can't be used, or the module failed; the message is safe to print."""


@dataclass(frozen=True)
class Compared:
    """A host, what is wanted of it, and how the two differ."""

    host: Host
    wanted: Sequence[Wanted]
    result: Comparison


class PolicyAction(ActionBase):
    """Nothing of a host's answer becomes an Ansible variable, except through typed records."""

    _supports_check_mode = True

    def roles(self) -> list[str]:
        """The options ``roles``, ``tags`` and ``skip_tags``. Raises AnsibleActionFail for an unknown role."""
        options = self._task.args
        given, tags = options.get("roles") or ROLES, options.get("tags") or ["all"]
        unknown = [name for name in given if name not in ROLES]
        if unknown:
            raise AnsibleActionFail(f"roles has {', '.join(unknown)}; allowed are {', '.join(ROLES)}")
        skipped = options.get("skip_tags") or []
        return [role for role in ROLES if role in given and ("all" in tags or role in tags) and role not in skipped]

    def policy(self, task_vars: Mapping[str, Any]) -> Policy:
        """The policy of this host, from its variables and the roles' defaults. Raises AnsibleActionFail."""
        from_facts = sorted(set(task_vars.get("ansible_facts") or {}) & set(collection.SPECS))
        if from_facts:
            raise AnsibleActionFail(
                f"{from_facts[0]} is among the facts of this host, and a host does not decide its policy: clear the "
                "fact cache, and set it in the inventory"
            )
        given = {name: value for name, value in task_vars.items() if collection.OURS.match(name)}
        available = {**collection.DEFAULTS, **task_vars}
        templar = self._templar.copy_with_new_env(available_variables=available)
        values = {name: _plain(value) for name, value in templar.template({**collection.DEFAULTS, **given}).items()}
        try:
            return read_policy(
                {name: values[name] for name in collection.SPECS}, collection.SPECS, set(given) - set(collection.SPECS)
            )
        except PolicyProblems as error:
            raise AnsibleActionFail(str(error)) from None

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

    def ask(self, shape: type[T], module: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> T:
        """The answer of a module as ``shape``. Raises NotCheckable."""
        answer = dict(self._execute_module(module_name=module, module_args=arguments, task_vars=task_vars))
        self._keep_interpreter(answer.get("ansible_facts"))
        if answer.get("failed") or answer.get("unreachable"):
            raise NotCheckable(safe_text(answer.get("msg") or "the module gave no message", 2000))
        names = shape.__dataclass_fields__  # type: ignore[attr-defined]
        wanted = {key: value for key, value in answer.items() if key in names or not _is_core_s(str(key))}
        try:
            return decode(shape, wanted, "the host's answer")
        except DecodeError as error:
            raise NotCheckable(f"{error}: its answer is not used") from None

    def _parse_returned_data(self, res: dict[str, Any], *more: Any) -> Any:
        """Before ansible-core reads an answer: it prints warnings and what is no JSON by itself, as they are."""
        clean = {"stdout": _harmless(str(res["stdout"])), "stderr": safe_lines(res["stderr"])}
        return super()._parse_returned_data({**res, **clean}, *more)

    def _keep_interpreter(self, facts: object) -> None:
        """Ansible finds a host's Python by a trip of its own and keeps it as a fact. Raises NotCheckable for others."""
        if not facts:
            return
        python = facts.get(INTERPRETER) if isinstance(facts, Mapping) and len(facts) == 1 else None
        if not isinstance(python, str) or not re.fullmatch(r"[\w./+-]{1,200}", python):
            raise NotCheckable("the host's answer has ansible_facts, which this module does not give: it is not used")
        self.facts = {INTERPRETER: python}

    facts: dict[str, str] = {}  # noqa: RUF012  (replaced, never changed)

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
        """A user's own file in the place of ours, found and rendered as Ansible's lookups do."""
        kind = "template" if variable.endswith("_template") else "file"
        variables = {**task_vars, **context, "ansible_search_path": self._task.get_search_path()}
        options: dict[str, Any] = {"template_vars": dict(context)} if kind == "template" else {"rstrip": False}
        lookup = lookup_loader.get(f"ansible.builtin.{kind}", loader=self._loader, templar=self._templar)
        try:
            return str(lookup.run([value], variables, **options)[0])
        except Exception as error:  # whatever a user's template raises
            raise AnsibleActionFail(f"{variable} is {value}, which can't be used: {safe_text(error, 1000)}") from None


def seen(policy: Policy, observed: Observation) -> Seen:
    record = wanted_record()
    return Seen(
        observed.manifest,
        lambda path: observed.files.get(path, PathState("unreadable", why="was not looked at")),
        observed.units,
        {path: (record[path], state) for path, state in observed.record.items() if path in record},
        agent_limits.limits(policy.of(agent_limits.Variables), observed),
    )


def _harmless(answer: str) -> str:
    """The answer of a module without lines around it, and without what ansible-core would print of it."""
    try:
        data = json.loads(_filter_non_json_lines(answer, objects_only=True)[0])
    except (ValueError, RecursionError):
        return "no answer: " + safe_text(answer, 1000).replace("{", "(")
    return json.dumps({key: outgoing(value) if _is_core_s(key) else value for key, value in data.items()})


def _is_core_s(key: str) -> bool:
    return key in CORE_KEYS or key.startswith("_ansible_")


def _plain(value: Any) -> Any:
    """A vaulted text of ansible-core before 2.19 is no str."""
    if hasattr(value, "__ENCRYPTED__"):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
