# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Why a host can't take the policy, told before anything on it is changed.

Pure. Each problem is one sentence that names what was found on the host, what is needed and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.policy.ceiling import ceiling_problems

ARCHITECTURES = ("x86_64", "aarch64")
OLDEST = {"ubuntu": "22.04", "debian": "12"}


def host_problems(observed: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Why the host can't take the policy, empty where it can. ``observed`` is what ``agent_host_info`` returned,
    ``variables`` are those of the policy, typed."""
    budget = [observed["budget_error"]] if "budget_error" in observed else []
    platform, accounts = observed["platform"], observed["accounts"]
    return [
        *_platform_problems(platform, variables),
        *budget,
        *_account_problems(accounts, variables),
        *(_ceiling_problems(observed, variables) if not budget else []),
    ]


def _ceiling_problems(observed: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    # Where the role is not in the play its defaults are unknown, and the host's ceiling is left alone.
    if "agent_ceiling_administrator_memory" not in variables or not variables["agent_ceiling_enabled"]:
        return []
    return ceiling_problems(observed["ceiling"], observed["budget"]["available"], variables)


def _platform_problems(platform: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    problems = []
    if not OLDEST.keys() & set(platform["ids"]) or _is_older(platform["version"], OLDEST.get(platform["ids"][0], "")):
        problems.append(
            f"the host runs {platform['ids'][0]} {platform['version']}: "
            "Ubuntu 22.04 or newer, or Debian 12 or newer, is needed"
        )
    if not platform["systemd"]:
        problems.append(
            "the host was not booted with systemd (/run/systemd/system is missing): boot it with systemd as PID 1"
        )
    architectures = sorted(variables.get("agent_toolchain_rustup_checksums") or ARCHITECTURES)
    if platform["architecture"] not in architectures:
        problems.append(
            f"the host's architecture is {platform['architecture']}; "
            f"agent_toolchain_rustup_checksums has {', '.join(architectures)}: "
            "add a checksum for it, or leave the host out"
        )
    if platform["uid"] != 0:
        problems.append(
            f"the play works as uid {platform['uid']}, and root is needed: set become: true, and no become_user"
        )
    return problems


def _is_older(version: str, oldest: str) -> bool:
    numbers = [[int(number) for number in re.findall(r"\d+", text)] for text in (version, oldest)]
    return bool(numbers[0]) and numbers[0] < numbers[1]  # Debian's testing has no number


def _account_problems(accounts: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    problems = []
    users = variables.get("agent_policy_users") or []
    missing = [name for name in users if not accounts["users"].get(name, {}).get("exists")]
    if missing and not variables.get("agent_policy_create_users"):
        problems.append(
            f"agent_policy_users has {', '.join(missing)}, no account of the host: create it first, or set "
            "agent_policy_create_users: true"
        )
    protected = {"root", accounts["login_user"]}
    caught = sorted(protected & {*users, *accounts["group"]["members"]})
    if caught and not variables.get("agent_policy_allow_privileged_users"):
        problems.append(
            f"{' and '.join(caught)} would be under the agents' limits in group {variables.get('agent_policy_group')}, "
            "and this is root or the account that the play logs in with: take it out, or set "
            "agent_policy_allow_privileged_users: true"
        )
    return problems
