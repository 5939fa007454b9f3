# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The policy of role agent_hygiene: read from its variables, and by the programs on the host from a file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..account_names import EXAMPLES, EXISTING_NAME
from ..sizes import GIB, SizeError, parse_size
from .space import Mark, check_mark

# At least two names, so that no folder of the system is a workspace.
PLACE = re.compile(r"(/[^/\x00-\x1f]+){2,}")
IN_HOMES = re.compile(r"~(/[^/\x00-\x1f]+)+")
FILE = "hygiene.json"


class HygieneError(ValueError):
    """A wrong setting. The message has its name, its value and what is allowed."""


@dataclass(frozen=True)
class Workspaces:
    """``path`` is a pattern; with ``~/`` it is in the homes of ``users``. If ``users`` is empty: all owners except
    root, or for ``~/`` the members of the agents' group."""

    path: str
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditLog:
    path: str
    owner: str


@dataclass(frozen=True)
class HygienePolicy:
    target_max: int
    workspaces: tuple[Workspaces, ...]
    audit_logs: tuple[AuditLog, ...]
    group: str
    report: str
    free_min: Mark | None = None
    free_goal: Mark | None = None


def check_workspaces(name: str, value: Any) -> tuple[Workspaces, ...]:
    """The workspaces of a variable ``name``, a list of patterns or of {path, users}. Raises HygieneError."""
    return tuple(_workspaces(name, item) for item in value)


def _workspaces(name: str, item: Any) -> Workspaces:
    given = {"path": item} if isinstance(item, str) else item
    if not isinstance(given, Mapping) or not {"path"} <= set(given) <= {"path", "users"}:
        raise HygieneError(
            f"{name} has {item!r}; allowed is a path such as /home/*/nova, or {{path: ..., users: [...]}}"
        )
    path, users = given["path"], given.get("users") or ()
    # ** would search the whole host, and .. could leave the named folder.
    if not isinstance(path, str) or not (PLACE.fullmatch(path) or IN_HOMES.fullmatch(path)) or _steps_aside(path):
        raise HygieneError(
            f"{name} has the path {path!r}; allowed is an absolute path of two names or more, with * ? [...] but "
            "not **, or one below ~/, such as /home/*/nova or ~/nova"
        )
    if isinstance(users, str) or not all(isinstance(user, str) and EXISTING_NAME.fullmatch(user) for user in users):
        raise HygieneError(f"{name} has the users {users!r}; allowed is a list of account names, such as {EXAMPLES}")
    return Workspaces(path, tuple(users))


def _steps_aside(path: str) -> bool:
    return any(part in (".", "..") or "**" in part for part in path.split("/"))


def check_audit_logs(name: str, value: Any) -> tuple[AuditLog, ...]:
    """The audit logs of a variable ``name``, a list of {path, owner}. Raises HygieneError."""
    found = tuple(_audit_log(name, item) for item in value)
    owners: dict[str, str] = {}
    for log in found:
        if owners.setdefault(log.path, log.owner) != log.owner:
            raise HygieneError(
                f"{name} has {log.path} with the owners {owners[log.path]} and {log.owner}; list it once"
            )
    return found


def _audit_log(name: str, item: Any) -> AuditLog:
    if not isinstance(item, Mapping) or set(item) != {"path", "owner"}:
        raise HygieneError(f"{name} has {item!r}; allowed is {{path: /home/agent1/nova-audit.log, owner: agent1}}")
    path, owner = item["path"], item["owner"]
    if not isinstance(path, str) or not PLACE.fullmatch(path) or _steps_aside(path):
        raise HygieneError(f"{name} has the path {path!r}; allowed is an absolute path of two names or more")
    if not isinstance(owner, str) or not EXISTING_NAME.fullmatch(owner):
        raise HygieneError(f"{name} has the owner {owner!r}; allowed is an account's name, such as {EXAMPLES}")
    return AuditLog(path, owner)


def target_max(environment: Mapping[str, str], policy: HygienePolicy) -> int:
    """The maximum size of a target folder in bytes: TARGET_MAX_GB of the operational guide (in GiB), or the policy's
    value."""
    given = environment.get("TARGET_MAX_GB", "")
    if not given:
        return policy.target_max
    if not re.fullmatch(r"[1-9][0-9]{0,6}", given):
        raise HygieneError(f"TARGET_MAX_GB is {given!r}; allowed is a whole number of GiB from 1, such as 100")
    return int(given) * GIB


def load_policy(path: str) -> HygienePolicy:
    """Read the file that the role wrote. Raises HygieneError."""
    try:
        with open(path, encoding="utf-8") as file:
            given = json.load(file)
        return HygienePolicy(
            target_max=parse_size(given["target_max"], "target_max"),
            workspaces=check_workspaces("workspaces", given["workspaces"]),
            audit_logs=check_audit_logs("audit_logs", given["audit_logs"]),
            group=given["group"],
            report=given["report"],
            free_min=check_mark("free_min", given["free_min"]),
            free_goal=check_mark("free_goal", given["free_goal"]),
        )
    except OSError as error:
        hint = "; run it as root" if os.geteuid() != 0 else "; ask an operator to apply role agent_hygiene"
        raise HygieneError(f"{path}: {error.strerror}{hint}") from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, (HygieneError, SizeError)):
            raise HygieneError(f"{path}: {error}") from error
        raise HygieneError(f"{path} is damaged ({error}); ask an operator to apply role agent_hygiene") from error
