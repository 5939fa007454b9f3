# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Which variables of the collection hold something that can't be meant.

Pure. Each problem is one sentence that names the variable, what it held and what is allowed.
Types and choices come from the roles' argument specs; what a spec can't say stands here.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import SMALLEST_PER_AGENT
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import (
    check_audit_logs,
    check_calendar,
    check_span,
    check_workspaces,
)
from ansible_collections.nova.agent_host.plugins.module_utils.policy.limits import check_extra
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import format_size, parse_size
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request, RequestError, source_url

ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
PREFIX = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
SYSTEM_FOLDERS = (
    *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv"),
    *("sys", "tmp", "usr", "var", "usr/bin", "usr/lib", "usr/local", "usr/sbin", "var/lib", "var/tmp"),
)
PRIVILEGED_GROUPS = (
    *("adm", "admin", "disk", "docker", "incus-admin", "kvm", "libvirt", "lxd", "nogroup", "root", "shadow", "staff"),
    *("sudo", "systemd-journal", "users", "wheel"),
)
SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}")
PROTECTED_SERVICES = ("ssh", "sshd", "dbus", "getty@", "serial-getty@", "user@")

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
    source_url(value, name)


def _channel(name: str, value: Any) -> None:
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+|(stable|beta|nightly)-[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value)):
        raise PolicyError(
            f"{name} is {value!r}; allowed is a version such as 1.92.0, or a dated channel such as nightly-2026-01-15"
        )


def _slots(name: str, value: Any) -> None:
    if str(value) != "auto" and not re.fullmatch(r"[1-9][0-9]{0,3}", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is auto or a whole number from 1 to 9999")


def _jobs(name: str, value: Any) -> None:
    if str(value) not in ("auto", "cargo") and not re.fullmatch(r"[1-9][0-9]{0,3}", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is auto, cargo or a whole number from 1 to 9999")


def _soft_and_hard(name: str, value: Any) -> None:
    numbers = str(value).split(":")
    if not all(re.fullmatch(r"[1-9][0-9]{0,9}", number) for number in numbers) or len(numbers) > 2:
        raise PolicyError(f"{name} is {value!r}; allowed is a whole number, or SOFT:HARD such as 65536:1048576")
    if int(numbers[0]) > int(numbers[-1]):
        raise PolicyError(f"{name} is {value!r}: the soft limit is above the hard one")


def _from_zero(name: str, value: Any) -> None:
    if not re.fullmatch(r"0|[1-9][0-9]{0,14}", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is a whole number from 0")


def _checkouts(name: str, value: Any) -> None:
    for path in value:
        if not str(path).startswith("/") or posixpath.normpath(str(path)) != path or str(path).count("/") < 2:
            raise PolicyError(f"{name} has {path!r}; allowed is an absolute, normalized path, such as /srv/nova")


def _services(name: str, value: Any) -> None:
    for service in value:
        if not SERVICE.fullmatch(str(service)) or str(service).endswith((".service", ".slice", ".scope", ".socket")):
            raise PolicyError(
                f"{name} has {service!r}; allowed is a service's name without .service, such as build-runner"
            )
        if service in PROTECTED_SERVICES or str(service).startswith("systemd-"):
            raise PolicyError(f"{name} has {service!r}, which serves administrators too; name services that run agents")


def _tasks_max(name: str, value: Any) -> None:
    if not re.fullmatch(r"[1-9][0-9]?%|[1-9][0-9]{1,6}", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is a share such as 75%, or a whole number from 10")


def _count(name: str, value: Any) -> None:
    if not re.fullmatch(r"[1-9][0-9]{0,5}", str(value)):
        raise PolicyError(f"{name} is {value!r}; allowed is a whole number from 1, or nothing for the rule's")


CHECKS: dict[str, Callable[[str, Any], object]] = {
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
    "agent_wrappers_checkouts": _checkouts,
    "agent_wrappers_slots": _slots,
    "agent_wrappers_jobs": _jobs,
    "agent_wrappers_nova_memory_total": _size,
    "agent_limits_login_address_space": _size,
    "agent_limits_nofile": _soft_and_hard,
    "agent_limits_nproc": _soft_and_hard,
    "agent_limits_core": _from_zero,
    "agent_limits_extra": check_extra,
    "agent_limits_services": _services,
    "agent_ceiling_administrator_memory": _size,
    "agent_ceiling_schedulers": _services,
    "agent_ceiling_services": _services,
    "agent_ceiling_tasks_max": _tasks_max,
    "agent_ceiling_wait": _from_zero,
    "agent_hygiene_target_max": _size,
    "agent_hygiene_workspaces": check_workspaces,
    "agent_hygiene_schedule": check_calendar,
    "agent_hygiene_jitter": check_span,
    "agent_hygiene_audit_logs": check_audit_logs,
    "agent_hygiene_audit_schedule": check_calendar,
}

TOOLCHAIN_OPTIONS = ("channel", "profile", "components", "targets", "extra", "rustup_version", "rustup_checksums")
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
        except ValueError as error:  # PolicyError, and those of the modules that read such values
            problems.append(str(error))
    return problems or [*_out_of_order(variables), *_toolchain_problems(variables)]


def typed(variables: Mapping[str, Any], specs: Mapping[str, Spec]) -> dict[str, Any]:
    """``variables`` that have no problems, with the truth value or number in the place of text that stands for it, as
    ``-e x=false`` and inventories in INI give it. Roles say ``| bool`` and ``| int``."""
    return {
        name: DEFAULT_TYPE_VALIDATORS[specs[name]["type"]](value)
        if name in specs and specs[name]["type"] in ("bool", "int") and value not in (None, "")
        else value
        for name, value in variables.items()
    }


def _fits(value: Any, spec: Spec) -> bool:
    # Ansible would split text at commas for a list; the roles, which get it as it stands, would take its letters.
    if spec["type"] in ("list", "dict") and isinstance(value, str):
        return False
    try:
        DEFAULT_TYPE_VALIDATORS[spec["type"]](value)
    except (TypeError, ValueError):
        return False
    return "choices" not in spec or value in spec["choices"]


def _allowed(spec: Spec) -> str:
    if "choices" in spec:
        return " or ".join(map(str, spec["choices"]))
    return {
        "int": "a whole number",
        "bool": "true or false",
        "list": "a list, such as [one, two]",
        "dict": "a dictionary, such as {key: value}",
    }.get(spec["type"], "text")


def _toolchain_problems(variables: Mapping[str, Any]) -> list[str]:
    """What only several variables together tell: the toolchains as a whole, and the one pin of roles that need it."""
    names = {option: f"agent_toolchain_{option}" for option in TOOLCHAIN_OPTIONS}
    if not all(name in variables for name in names.values()):
        return []  # the role is not in the play
    try:
        Request.from_options({option: variables[name] for option, name in names.items()}, "agent_toolchain_")
    except RequestError as error:
        return [str(error)]
    pin, channel = variables["agent_policy_rust_channel"], variables["agent_toolchain_channel"]
    if "agent_wrappers_guard" in variables and channel != pin:
        return [
            f"agent_toolchain_channel is {channel}, but the wrappers run agent_policy_rust_channel, {pin}: set that "
            "one, which the toolchain follows, and list further channels in agent_toolchain_extra"
        ]
    return []


def _out_of_order(variables: Mapping[str, Any]) -> list[str]:
    """512M <= per agent <= hard limit <= login address space."""
    sizes = [(name, parse_size(variables[name], name)) for name in ASCENDING if variables.get(name)]
    problems = [
        f"{lower} is {format_size(smaller)}, above {higher}, which is {format_size(larger)}; "
        "lower the one or raise the other"
        for (lower, smaller), (higher, larger) in zip(sizes, sizes[1:])
        if smaller > larger
    ]
    if sizes and sizes[0][1] < SMALLEST_PER_AGENT:
        problems.append(
            f"{sizes[0][0]} is {format_size(sizes[0][1])}: "
            f"rustc fails below {format_size(SMALLEST_PER_AGENT)}, the least allowed"
        )
    return problems
