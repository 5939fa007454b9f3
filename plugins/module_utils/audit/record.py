# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A host's record in an audit: every item, and what they come to.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.audit.diff import unified
from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import (
    DRIFTED,
    OK,
    UNKNOWN,
    Item,
    drifted,
    good,
    limits_that_differ,
    note,
    unknown,
)
from ansible_collections.nova.agent_host.plugins.module_utils.audit.units import unit_items
from ansible_collections.nova.agent_host.plugins.module_utils.host.sessions import stale_sessions
from ansible_collections.nova.agent_host.plugins.module_utils.policy.summary import fence_notes
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import in_words
from ansible_collections.nova.agent_host.plugins.module_utils.state.record import record_problems

UNREACHABLE = "unreachable"

# {"host", "status", "why" (where the comparison broke off), "items"}: ok, drifted, unknown or unreachable
Record = dict[str, Any]


def compared(
    host: str,
    noted: Mapping[str, Any],
    observed: Mapping[str, Any],
    seen: Mapping[str, Any],
    policy: Mapping[str, Any],
) -> Record:
    """The record of a host that was compared to the end.

    ``noted`` is what the roles' actions found (items and units), ``observed`` the return of agent_host_info, ``seen``
    that of audit_info. ``policy`` has ``group``, ``users``, ``accounts`` (what account_plan gave), ``limits`` (their
    ``kernel`` part of what login_limits gave), ``ceiling`` (what ceiling_plan gave; empty where there is to be none)
    and ``audit_logs`` (``[{"path"}]``).
    Of what belongs to a role only what the play had is told.
    """
    if seen.get("unreachable"):
        return not_compared(host, noted, observed, str(seen.get("msg")), lost=True)
    more = {
        "agent_policy": [*_accounts(policy), *_record(observed["record"]), *_fences(observed)],
        "agent_toolchain": [*_packages(observed), *_own_rustups(seen)],
        "agent_limits": [*_ways_in(observed), *_logins(seen, policy["limits"]), *_sessions(observed, policy["limits"])],
        "agent_ceiling": list(_ceiling(policy["ceiling"])),
        "agent_hygiene": list(_audit_logs(observed, policy.get("audit_logs") or [])),
    }
    roles = {"agent_policy"} | {item["role"] for item in noted["items"]}
    items = [
        *(item for item in noted["items"] if item["item"] not in observed["record"]),  # the roles take these as given
        *(item for role in sorted(roles) for item in more.get(role, [])),
        *unit_items(noted["units"], seen["units"], _own_paths(noted, observed), policy["limits"]),
    ]
    statuses = {item["status"] for item in items}
    status = next((status for status in (DRIFTED, UNKNOWN) if status in statuses), OK)
    return {"host": host, "status": status, "items": [unified(item) for item in items]}


def not_compared(
    host: str, noted: Mapping[str, Any], observed: Mapping[str, Any], why: str, lost: bool = False
) -> Record:
    """The record of a host where something ended the comparison: the items that are known, without what they are."""
    items = list(noted.get("items", []))
    known = {item["item"] for item in items}
    for role, held in observed.get("manifest", {}).get("roles", {}).items():
        paths = [(path, entry["kind"]) for path, entry in sorted(held["paths"].items()) if entry["kind"] != "absent"]
        paths += [(tree, "toolchain") for tree in held["trees"]]
        items += [unknown(role, kind, path, f"not compared: {why}") for path, kind in paths if path not in known]
        known.update(path for path, _kind in paths)  # folders that several roles imply are told once
    status = UNREACHABLE if lost or observed.get("unreachable") else UNKNOWN
    return {"host": host, "status": status, "why": why, "items": [unified(item) for item in items]}


def _own_paths(noted: Mapping[str, Any], observed: Mapping[str, Any]) -> set[str]:
    """The paths of this collection: what is wanted now, and what roles that are not in the play have there."""
    held = {path for role in observed["manifest"]["roles"].values() for path in role["paths"]}
    return held | {item["item"] for item in noted["items"]}


def _accounts(policy: Mapping[str, Any]) -> Iterator[Item]:
    group, plan, role = policy["group"], policy["accounts"], "agent_policy"
    yield drifted(role, "group", group, "does not exist", ["kind"]) if plan["group"] else good(role, "group", group)
    for name in policy["users"]:
        missing = name in plan["users"]
        yield drifted(role, "account", name, "does not exist", ["kind"]) if missing else good(role, "account", name)
        member = f"{name} in {group}"
        outside = name in plan["members"]
        yield drifted(role, "member", member, "is not", ["kind"]) if outside else good(role, "member", member)
    for leaver in plan["leavers"]:
        yield drifted(
            role, "member", f"{leaver['name']} in {leaver['group']}", "is still, and no longer to be", ["kind"]
        )


def _record(record: Mapping[str, Mapping[str, Any]]) -> Iterator[Item]:
    wrong = record_problems(record)
    for path, both in record.items():
        names, kind = wrong.get(path, []), both["wanted"]["kind"]
        why = in_words(both["wanted"], both["found"], names)
        yield drifted("agent_policy", kind, path, why, names) if names else good("agent_policy", kind, path)


def _fences(observed: Mapping[str, Any]) -> Iterator[Item]:
    for line in fence_notes(observed):
        yield note("agent_policy", "fence", line.split(" ", 1)[0], line)


def _packages(observed: Mapping[str, Any]) -> Iterator[Item]:
    for name, installed in sorted(observed["packages"].items()):
        role, kind = "agent_toolchain", "package"
        yield good(role, kind, name) if installed else drifted(role, kind, name, "is not installed", ["kind"])


def _own_rustups(seen: Mapping[str, Any]) -> Iterator[Item]:
    for user, paths in sorted(seen["own_rustups"].items()):
        why = f"has a Rust of its own, beside the pinned one and the guard: {', '.join(paths)}"
        yield note("agent_toolchain", "own rustup", user, why)


def _ways_in(observed: Mapping[str, Any]) -> Iterator[Item]:
    role, kind, logins = "agent_limits", "way in", observed["logins"]
    without = "works without PAM, so no limit holds for what comes in by ssh: set UsePAM yes in /etc/ssh/sshd_config"
    yield drifted(role, kind, "sshd", without, ["pam"]) if logins["sshd_without_pam"] else good(role, kind, "sshd")
    for name in logins["pam_without_limits"]:
        path = f"/etc/pam.d/{name}"
        yield drifted(role, kind, path, "sets no limits: add `session required pam_limits.so`", ["pam"])


def _logins(seen: Mapping[str, Any], wanted: Mapping[str, Sequence[int | None]]) -> Iterator[Item]:
    role, kind = "agent_limits", "limits"
    for user, login in sorted(seen["logins"].items()):
        if "error" in login:
            yield unknown(role, kind, user, f"no login could be tried: {login['error']}")
            continue
        wrong, words = limits_that_differ(wanted, login["limits"])
        why = f"a new login gets {words}"
        yield drifted(role, kind, user, why, wrong) if wrong else good(role, kind, user)


def _sessions(observed: Mapping[str, Any], wanted: Mapping[str, Sequence[int | None]]) -> Iterator[Item]:
    for owner in stale_sessions(observed["logins"]["sessions"], wanted):
        why = "sessions and services that were open before keep other limits; log in again, or restart the service"
        yield note("agent_limits", "sessions", owner, why)


def _ceiling(plan: Mapping[str, Any]) -> Iterator[Item]:
    if not plan:
        return
    role, kind = "agent_ceiling", "ceiling"
    name, why = "user.slice", f"the kernel does not have the maximum of {plan['memory_max']}, or has swap beside it"
    yield good(role, kind, name) if plan["holds"] else drifted(role, kind, name, why, ["memory"])
    for service in plan["outside"]:
        yield drifted(role, kind, f"{service}.service", "runs above the ceiling: restart it", ["slice"])


def _audit_logs(observed: Mapping[str, Any], logs: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
    role, kind, findings = "agent_hygiene", "audit log", observed.get("audit_logs") or []
    for finding in findings:
        yield drifted(role, kind, finding["path"], finding["text"], [finding["kind"]])
    for path in [log["path"] for log in logs]:
        if path not in [finding["path"] for finding in findings]:
            yield good(role, kind, path)
