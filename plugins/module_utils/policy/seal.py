# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The seal on a host: proof that it still holds all that this policy, in this version of the collection, wants of it.

A whole apply that succeeded writes the policy's fingerprint into the host's manifest, and every later change removes
it. Where the fingerprint is the same and everything in the manifest stands as recorded, rendering all templates again
would give the same files, so the roles need not be asked. What can't be fingerprinted is never sealed.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.audit.units import STARTED
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import UNKNOWN, unit_of
from ansible_collections.nova.agent_host.plugins.module_utils.policy.accounts import account_plan
from ansible_collections.nova.agent_host.plugins.module_utils.policy.ceiling import ceiling_plan
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import differences
from ansible_collections.nova.agent_host.plugins.module_utils.state.plan import bare
from ansible_collections.nova.agent_host.plugins.module_utils.state.record import record_problems

# What a file's content is made from: these variables name files that may hold anything, and use any variable.
SOURCES = ("_template", "_file")
# What else decides what a host is to hold; the rest of an observation is compared with what is wanted.
FACTS = ("memory", "cpus", "platform", "budget")


def collection_digest(root: Path) -> str:
    """sha256 over all that decides what a host is to hold: the roles and the plugins below ``root``."""
    digest = hashlib.sha256()
    for folder in ("plugins", "roles"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def fingerprint(
    variables: Mapping[str, Any], specs: Mapping[str, Any], observed: Mapping[str, Any], collection: str
) -> str:
    """sha256 over the policy of a host, or "" where another template than the collection's makes it unknowable.

    ``variables`` are all variables of the roles, ``specs`` their argument specs, ``collection`` is collection_digest's.
    """
    sources = [name for name in variables if name.endswith(SOURCES)]
    if any(variables[name] != specs.get(name, {}).get("default") for name in sources):
        return ""
    slices = sorted(set(observed["ceiling"]["administrators"].values()))
    facts = {name: observed.get(name) for name in FACTS}
    whole = {"collection": collection, "variables": dict(variables), "facts": facts, "slices": slices}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()


def sealed(observed: Mapping[str, Any], variables: Mapping[str, Any], policy: str) -> bool:
    """Whether the host is as the last whole apply of the policy with this fingerprint left it."""
    paths = [path for role in observed["manifest"]["roles"].values() for path in role["paths"]]
    linked = {unit_of(path) for path in paths if posixpath.dirname(path).endswith(".wants")}
    return bool(
        policy
        and observed["manifest"]["seal"] == policy
        and _as_recorded(observed)
        and not record_problems(observed["record"])
        and not any(tree["problems"] or not tree["present"] for tree in observed["toolchains"].values())
        and all(observed["packages"].values())
        and all(_unit_is_right(name, unit, name in linked) for name, unit in observed["units"].items())
        and not observed["audit_logs"]
        and _accounts_are_right(observed, variables)
        and _ceiling_is_right(observed, variables)
    )


def _as_recorded(observed: Mapping[str, Any]) -> bool:
    return not any(
        record.get("kept") or differences(bare(record), observed["files"][path])
        for role in observed["manifest"]["roles"].values()
        for path, record in role["paths"].items()
    )


def _unit_is_right(name: str, unit: Mapping[str, Any], linked: bool) -> bool:
    return (
        not unit["stale"]
        and unit != UNKNOWN
        and (not linked or unit["enabled"] == "enabled")
        and (not name.endswith(STARTED) or unit["active"] == "active")
    )


def _accounts_are_right(observed: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    plan = account_plan(observed["accounts"], variables["agent_policy_group"], variables["agent_policy_users"])
    return not plan["pending"]


def _ceiling_is_right(observed: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    if not variables["agent_ceiling_enabled"]:
        return True
    plan = ceiling_plan(
        observed["ceiling"],
        observed["budget"]["available"],
        variables["agent_ceiling_administrator_memory"],
        variables["agent_ceiling_schedulers"],
    )
    return bool(plan["holds"] and not plan["outside"])
