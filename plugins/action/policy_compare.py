# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of policy_compare: check the variables, look at the host, compare. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ..module_utils.audit.diff import unified
from ..module_utils.audit.record import UNREACHABLE, Record
from ..module_utils.compare.items import DRIFTED, OK, UNKNOWN, Item, not_compared
from ..module_utils.desired import agent_ceiling, agent_policy, agent_toolchain, agent_warm
from ..module_utils.desired.features import HostProblems
from ..module_utils.desired.policy import Policy
from ..module_utils.observed.answers import Outcome
from ..module_utils.observed.shapes import Observation
from ..module_utils.report.rows import NOT_SEEN, host_view
from ..module_utils.report.summary import summary_lines
from ..module_utils.text import safe_text
from ..module_utils.warm.seed import folders
from ..plugin_utils import records
from ..plugin_utils.host_action import NotCheckable
from ..plugin_utils.policy_action import INFO, Compared, PolicyAction
from ..plugin_utils.rendering import module_roles


class ActionModule(PolicyAction):
    def work(self, variables: dict[str, Any]) -> dict[str, Any]:
        if self._task.args.get("retire"):
            return self._recorded(variables)
        roles, policy = self.roles(), self.policy(variables)
        if self._task.args.get("audit"):
            return self._audit(policy, roles, variables)
        compared = self.compare(policy, self.look(policy, variables), roles, variables)
        return {"roles": roles, **self._compared(policy, compared, roles)}

    def _compared(self, policy: Policy, compared: Compared, roles: Sequence[str]) -> dict[str, Any]:
        """The result for site and the roles."""
        result, host = compared.result, compared.host
        plan = agent_policy.plan_of(policy, host.observed)
        pending = plan.pending and agent_policy.ROLE in roles
        return {
            "differs": result.differs,
            "remaining": [role for role in roles if role != agent_policy.ROLE or not pending],
            "accounts": {
                "pending": pending,
                "group": plan.group,
                "users": plan.users,
                "members": [name for name in plan.members if name not in plan.users],
                "leavers": [{"name": name, "group": group} for name, group in plan.leavers],
            },
            "packages": [item.name for item in result.of("package")],
            "toolchain": agent_toolchain.module_options(policy) if result.of("toolchain") else {},
            "audit_logs": bool(result.of("audit log")),
            "seeds": agent_warm.unwanted(policy, host.observed.manifest) if agent_warm.ROLE in roles else [],
            "ceiling_blocked": agent_ceiling.ROLE in roles and agent_ceiling.blocked(policy, host),
            "ceiling_offered": agent_ceiling.offered(policy, host),
            "summary": summary_lines(policy, host, compared.wanted),
        }

    def _recorded(self, variables: dict[str, Any]) -> dict[str, Any]:
        """What retire has to remove. It does not depend on variables."""
        observed = self.ask(Observation, INFO, {}, variables)
        accounts = observed.accounts
        plan = agent_policy.account_plan(accounts, None, ())
        return {
            "roles": list(observed.manifest.roles),
            "trees": observed.manifest.trees,
            "seeds": folders(observed.manifest),
            "accounts_of_seeds": agent_warm.STATE if folders(observed.manifest) else (),
            "leavers": [
                {"name": name, "group": group} for name, group in plan.leavers if group not in accounts.record.groups
            ],
            "groups": accounts.record.groups,
            "users": accounts.record.users,
        }

    def _audit(self, policy: Policy, roles: Iterable[str], variables: dict[str, Any]) -> dict[str, Any]:
        """Every item, as a record in a file. An error of the host is in its record."""
        host = variables["inventory_hostname"]
        observed: Observation | None = None
        try:
            observed = self.look(policy, variables, deep=True)
            compared = self.compare(policy, observed, roles, variables)
            if compared.result.files_differ or any(item.status == UNKNOWN for item in compared.result.items):
                compared = self._looked_closer(policy, compared, roles, variables)
            items = self._with_diffs(compared, variables)
            record: Record = {"host": host, "status": _worst(items), "items": [one.view() for one in items]}
        except AnsibleConnectionFailure as error:
            record = _broken(host, UNREACHABLE, observed, safe_text(error))
        except (NotCheckable, HostProblems) as error:
            why = str(error).replace("\n", "; ")
            record = _broken(host, UNKNOWN, observed, why)
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        view = host_view(policy, observed, now) if observed else NOT_SEEN
        return {"status": record["status"], "broken": "why" in record, "record": records.keep(record, view)}

    def _looked_closer(
        self, policy: Policy, compared: Compared, roles: Iterable[str], variables: dict[str, Any]
    ) -> Compared:
        """Compare again, with wanted paths and units that are not in the manifest."""
        paths = {entry.path for role in compared.wanted for entry in role.entries}
        paths |= {step.path for steps in compared.result.steps.values() for step in steps}
        units = {unit.name for role in compared.wanted for unit in role.units}
        observed = self.look(policy, variables, deep=True, paths=sorted(paths), units=sorted(units))
        return self.compare(policy, observed, roles, variables)

    def _with_diffs(self, compared: Compared, variables: dict[str, Any]) -> list[Item]:
        """The items, with the diffs of an apply in check mode, and why it would leave out a file. A host that refuses
        has none."""
        items = list(compared.result.items)
        if not any(item.status == DRIFTED and item.kind in ("file", "link", "directory") for item in items):
            return items
        check, diff = self._task.check_mode, self._task.diff
        self._task.check_mode = self._task.diff = True
        try:
            arguments = {"roles": module_roles(compared.wanted)}
            told = self.ask(Outcome, "nova.agent_host.host_state", arguments, variables)
        except NotCheckable:
            return items
        finally:
            self._task.check_mode, self._task.diff = check, diff
        texts = {piece["after_header"]: unified(piece) for piece in told.diff}
        return [
            replace(item, diff=texts.get(item.name, ""), why=told.left_out.get(item.name, item.why))
            if item.status == DRIFTED
            else item
            for item in items
        ]


def _worst(items: Iterable[Item]) -> str:
    statuses = {item.status for item in items}
    return next((status for status in (DRIFTED, UNKNOWN) if status in statuses), OK)


def _broken(host: str, status: str, observed: Observation | None, why: str) -> Record:
    items = not_compared(observed.manifest if observed else None, why)
    return {"host": host, "status": status, "why": why, "items": [item.view() for item in items]}
