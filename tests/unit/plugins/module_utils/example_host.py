# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A FIXTURE host that fits the default policy but has no files yet, and policies for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import ROLES, host_of, read_policy
from ansible_collections.nova.agent_host.plugins.module_utils.desired.policy import Host, Policy
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Wanted
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import (
    Account,
    Accounts,
    AccountsRecord,
    Ceiling,
    Fences,
    InstalledToolchain,
    LoginPaths,
    Observation,
    Platform,
    ToolchainTree,
    Usage,
)
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, RoleRecord

ROOT = Path(__file__).parents[4]
SPECS: dict[str, Any] = {
    name: spec
    for role in ROLES
    for name, spec in yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"][
        "main"
    ]["options"].items()
}
# Defaults that refer to other variables, as rendered by Ansible.
REFERENCES = {
    "agent_toolchain_channel": "agent_policy_rust_channel",
    "agent_toolchain_update_root": "agent_toolchain_dist_server",
    "agent_ceiling_services": "agent_limits_services",
}


def values(**given: Any) -> dict[str, Any]:
    """All variables, with ``given`` instead of their defaults."""
    found = {name: spec.get("default") for name, spec in SPECS.items()} | given
    for name, source in REFERENCES.items():
        if name not in given:
            found[name] = f"{found[source]}/rustup" if name == "agent_toolchain_update_root" else found[source]
    return found


def policy(**given: Any) -> Policy:
    """Raises PolicyProblems."""
    return read_policy(values(**given), SPECS, set(given) - set(SPECS))


TREE = "/opt/nova-agent/toolchain"
SUITABLE = Observation(
    memory={"total": 1536 * GIB, "hugepages": 0, "swap": 0, "cgroup_limit": None, "cgroup_limit_file": None},
    cpus=192,
    platform=Platform(["ubuntu", "debian"], "24.04", "x86_64", True, "3.12.3", 0),
    accounts=Accounts(1100, True, [], {}, "ubuntu", AccountsRecord(), {}),
    packages={"build-essential": True},
    fences=Fences(0, 0, []),
    login_paths=LoginPaths(False, []),
    sessions=[],
    ceiling=Ceiling(
        systemd=255,
        hierarchy="unified",
        controllers=["cpu", "memory", "pids"],
        users=Usage(None, None, 3 * GIB),
        services=["cron.service", "ssh.service"],
        administrators={"root": 0, "ubuntu": 1000},
    ),
    manifest=Manifest({"agent_toolchain": RoleRecord(trees=[TREE])}),
    record={},
    files={},
    toolchains={TREE: ToolchainTree(True, "", [InstalledToolchain("1.92.0", "1.92.0")], [], [])},
    units={},
    audit_logs=[],
)


def with_agents(*names: str, missing: tuple[str, ...] = ()) -> Observation:
    """The host with agents of the group nova-agents, and without the accounts ``missing``."""
    users = {name: Account(True, [name, "nova-agents"]) for name in names} | {name: Account(False) for name in missing}
    return replace(SUITABLE, accounts=replace(SUITABLE.accounts, members=list(names), users=users))


def changed(observed: Observation, part: str, **values_: Any) -> Observation:
    """The host with other values in one part, such as ``changed(SUITABLE, "platform", uid=1000)``."""
    found = getattr(observed, part)
    return replace(observed, **{part: {**found, **values_} if isinstance(found, dict) else replace(found, **values_)})


def host(observed: Observation = SUITABLE, **given: Any) -> Host:
    """The host with its budget, under a policy. Raises PolicyProblems and HostProblems."""
    return host_of(policy(**given), observed, ROLES)


def wanted(feature: Any, observed: Observation = SUITABLE, **given: Any) -> Wanted:
    """The desired state of one feature, not rendered."""
    ours = policy(**given)
    return feature.wanted(ours, host_of(ours, observed, [feature.ROLE]))
