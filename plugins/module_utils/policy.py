# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Which variables of the collection hold something that can't be meant, and which hosts can't take the policy.

Pure. Each problem is one sentence that names the variable (or the host's trait), what it held and what is allowed.
Types and choices come from the roles' argument specs; what a spec can't say stands here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS
from ansible_collections.nova.agent_host.plugins.module_utils.limits_plan import LimitsError, check_extra
from ansible_collections.nova.agent_host.plugins.module_utils.budget import SMALLEST_PER_AGENT
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import SizeError, format_size, parse_size

ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
PREFIX = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
SYSTEM_FOLDERS = ("bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var "
                  "usr/local usr/bin usr/lib usr/sbin var/lib var/tmp").split()  # fmt: skip
PRIVILEGED_GROUPS = ("root", "sudo", "adm", "admin", "wheel", "users", "nogroup")
SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}")
PROTECTED_SERVICES = ("ssh", "sshd", "dbus", "getty@", "serial-getty@", "user@")
ARCHITECTURES = ("x86_64", "aarch64")

Spec = Mapping[str, Any]


class PolicyError(ValueError):
    """One variable's problem, as a sentence."""


def _size(name: str, value: Any) -> None:
    parse_size(value, name)


def _account(name: str, value: Any) -> None:
    if not ACCOUNT.fullmatch(str(value)):
        raise PolicyError(
            f"{name} is {value!r}; allowed is a name of lower-case letters, digits, _ and -, such as nova-agents"
        )


def _group(name: str, value: Any) -> None:
    _account(name, value)
    if value in PRIVILEGED_GROUPS:
        raise PolicyError(f"{name} is {value!r}, a group of the system; name one that only agents belong to")


def _accounts(name: str, value: Any) -> None:
    for account in value:
        _account(f"{name}: an entry", account)


def _prefix(name: str, value: Any) -> None:
    if (
        not PREFIX.fullmatch(str(value))
        or value.strip("/") in SYSTEM_FOLDERS
        or value.startswith(("/tmp/", "/dev/", "/proc/"))
    ):
        raise PolicyError(
            f"{name} is {value!r}; allowed is an absolute path of letters, digits, _ . - and /, that is no folder of "
            "the system and not below /tmp, such as /opt/nova-agent"
        )


def _mirror(name: str, value: Any) -> None:
    """A mirror's URL; one with a password in it would end up in logs and in the process list."""
    url = urlsplit(str(value))
    if url.username or url.password:
        raise PolicyError(f"{name} holds a user name or password; give the mirror an address without one")
    if url.scheme not in ("http", "https", "file") or not (
        url.netloc or url.scheme == "file" and url.path.startswith("/")
    ):
        raise PolicyError(f"{name} is {value!r}; allowed is http://HOST…, https://HOST… or file:///PATH")


def _channel(name: str, value: Any) -> None:
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+|(stable|beta|nightly)-[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value)):
        raise PolicyError(
            f"{name} is {value!r}; allowed is a version such as 1.92.0, or a dated channel such as nightly-2026-01-15"
        )


def _slots(name: str, value: Any) -> None:
    if str(value) != "auto" and not re.fullmatch(r"[1-9][0-9]?", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is auto or a whole number from 1 to 99")


def _jobs(name: str, value: Any) -> None:
    if str(value) not in ("auto", "cargo") and not re.fullmatch(r"[1-9][0-9]{0,3}", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is auto, cargo or a whole number from 1 to 9999")


def _soft_and_hard(name: str, value: Any) -> None:
    numbers = str(value).split(":")
    if not all(re.fullmatch(r"[1-9][0-9]{0,9}", number) for number in numbers) or len(numbers) > 2:
        raise PolicyError(f"{name} is {value!r}; allowed is a whole number, or SOFT:HARD such as 65536:1048576")
    if int(numbers[0]) > int(numbers[-1]):
        raise PolicyError(f"{name} is {value!r}: the soft limit is above the hard one")


def _services(name: str, value: Any) -> None:
    for service in value:
        if not SERVICE.fullmatch(str(service)) or str(service).endswith((".service", ".slice", ".scope", ".socket")):
            raise PolicyError(f"{name} has {service!r}; allowed is a service's name without .service, such as build-runner")
        if service in PROTECTED_SERVICES or str(service).startswith("systemd-"):
            raise PolicyError(f"{name} has {service!r}, which serves administrators too; name services that run agents")


def _count(name: str, value: Any) -> None:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is a whole number from 1, or nothing for the rule's")


CHECKS: dict[str, Callable[[str, Any], None]] = {
    "agent_policy_group": _group,
    "agent_policy_users": _accounts,
    "agent_policy_prefix": _prefix,
    "agent_policy_rust_channel": _channel,
    "agent_policy_memory_per_agent": _size,
    "agent_policy_memory_hard_limit": _size,
    "agent_policy_system_reserve": _size,
    "agent_policy_headroom": _size,
    "agent_policy_recommended_agents": _count,
    "agent_toolchain_channel": _channel,
    "agent_toolchain_dist_server": _mirror,
    "agent_toolchain_update_root": _mirror,
    "agent_wrappers_slots": _slots,
    "agent_wrappers_jobs": _jobs,
    "agent_wrappers_nova_memory_total": _size,
    "agent_limits_login_address_space": _size,
    "agent_limits_nofile": _soft_and_hard,
    "agent_limits_nproc": _soft_and_hard,
    "agent_limits_extra": check_extra,
    "agent_limits_services": _services,
    "agent_hygiene_target_max": _size,
}

ASCENDING = ("agent_policy_memory_per_agent", "agent_policy_memory_hard_limit", "agent_limits_login_address_space")


def policy_problems(variables: Mapping[str, Any], specs: Mapping[str, Spec]) -> list[str]:
    """The problems of ``variables`` (name to value), empty where there are none.

    ``specs`` maps every variable of every role to its argument spec. Variables with an empty value are unset.
    """
    problems = [
        f"{name} is not a variable of this collection; did you mean {close[0]}?"
        for name in sorted(set(variables) - set(specs))
        if (close := difflib.get_close_matches(name, specs, n=1, cutoff=0.9))
    ]
    for name in sorted(set(variables) & set(specs)):
        value = variables[name]
        if value in (None, ""):
            continue
        if not _fits(value, specs[name]):
            problems.append(f"{name} is {value!r}; allowed is {_allowed(specs[name])}")
            continue
        try:
            if name in CHECKS:
                CHECKS[name](name, value)
        except (PolicyError, SizeError, LimitsError) as error:
            problems.append(str(error))
    return problems or _out_of_order(variables)


def _fits(value: Any, spec: Spec) -> bool:
    try:
        DEFAULT_TYPE_VALIDATORS[spec["type"]](value)
    except (TypeError, ValueError):
        return False
    return "choices" not in spec or value in spec["choices"]


def _allowed(spec: Spec) -> str:
    if "choices" in spec:
        return " or ".join(map(str, spec["choices"]))
    return {"int": "a whole number", "bool": "true or false", "list": "a list", "dict": "a dictionary"}.get(
        spec["type"], "text"
    )


def _out_of_order(variables: Mapping[str, Any]) -> list[str]:
    """512M <= per agent <= hard limit <= login address space."""
    sizes = [(name, parse_size(variables[name], name)) for name in ASCENDING if variables.get(name)]
    problems = [
        f"{lower} is {format_size(smaller)}, above {higher}, which is {format_size(larger)}; lower the one or raise the other"
        for (lower, smaller), (higher, larger) in zip(sizes, sizes[1:])
        if smaller > larger
    ]
    if sizes and sizes[0][1] < SMALLEST_PER_AGENT:
        problems.append(
            f"{sizes[0][0]} is {format_size(sizes[0][1])}: rustc fails below {format_size(SMALLEST_PER_AGENT)}, the least allowed"
        )
    return problems


def host_problems(observed: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    """Why the host can't take the policy, empty where it can. ``observed`` is what ``agent_host_info`` returned."""
    budget = [observed["budget_error"]] if "budget_error" in observed else []
    platform, accounts = observed["platform"], observed["accounts"]
    return [*_platform_problems(platform, variables), *budget, *_account_problems(accounts, variables)]


def _platform_problems(platform: Mapping[str, Any], variables: Mapping[str, Any]) -> list[str]:
    problems = []
    if not {"ubuntu", "debian"} & set(platform["ids"]):
        problems.append(
            f"the host runs {platform['ids'][0]} {platform['version']}: Ubuntu 22.04 or newer, or Debian 12 or newer, is needed"
        )
    if not platform["systemd"]:
        problems.append(
            "the host was not booted with systemd (/run/systemd/system is missing): boot it with systemd as PID 1"
        )
    architectures = sorted(variables.get("agent_toolchain_rustup_checksums") or ARCHITECTURES)
    if platform["architecture"] not in architectures:
        problems.append(
            f"the host's architecture is {platform['architecture']}; agent_toolchain_rustup_checksums has {', '.join(architectures)}: "
            "add a checksum for it, or leave the host out"
        )
    if platform["uid"] != 0:
        problems.append(
            f"the play works as uid {platform['uid']}, and root is needed: set become: true, and no become_user"
        )
    return problems


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
            f"{' and '.join(caught)} would be under the agents' limits in group {variables.get('agent_policy_group')}, and this is root or "
            "the account that the play logs in with: take it out, or set agent_policy_allow_privileged_users: true"
        )
    return problems
