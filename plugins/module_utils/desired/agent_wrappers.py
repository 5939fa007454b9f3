# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_wrappers: the wrappers that cap memory and queue builds, and cargo's guard. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.nova import nova_memory_split
from ansible_collections.nova.agent_host.plugins.module_utils.budget.table import budget_table
from ansible_collections.nova.agent_host.plugins.module_utils.desired import (
    agent_ceiling,
    agent_hygiene,
    agent_policy,
    agent_toolchain,
)
from ansible_collections.nova.agent_host.plugins.module_utils.desired import variables as read
from ansible_collections.nova.agent_host.plugins.module_utils.desired.policy import Host, Policy
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Entry, Template, Wanted
from ansible_collections.nova.agent_host.plugins.module_utils.desired.variables import variable
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import KIB

ROLE = "agent_wrappers"
SLOTS = "/run/nova-agent/slots"
SCRIPTS = ("cargo_agent.sh", "run_limited.sh")
# Seconds after which a waiting command says what it waits for, and how often from then on.
NOTICE_AFTER, NOTICE_EVERY = 10, 60


@dataclass(frozen=True)
class Variables:
    slots: int | str = variable(read.auto_or_number(99, "auto"))
    jobs: int | str = variable(read.auto_or_number(9999, "auto", "cargo"))
    guard: str = variable(read.text)
    checkouts: tuple[str, ...] = variable(read.folders)
    nova_memory_total: int | None = variable(read.optional_size)


@dataclass(frozen=True)
class Parallelism:
    """How many builds run at once on a host."""

    slots: int  #: Cargo commands that may compile at once.
    jobs: int  #: Jobs of each.


def parallelism(policy: Policy, budget: Budget, cpus: int) -> Parallelism:
    ours = policy.of(Variables)
    slots = budget["slots"] or 1 if ours.slots == "auto" else ours.slots
    jobs = budget["jobs"] or 1 if ours.jobs == "auto" else cpus if ours.jobs == "cargo" else ours.jobs
    return Parallelism(int(slots), int(jobs))


def problems(policy: Policy) -> list[str]:
    return []


def host_problems(policy: Policy, host: Host) -> list[str]:
    return []


def wanted(policy: Policy, host: Host) -> Wanted:
    ours = policy.of(Variables)
    return Wanted(
        ROLE,
        entries=(
            *_programs(policy, host),
            *_slots(policy, host),
            *_checkouts(policy),
            *(_environment(policy, host) if ours.nova_memory_total else ()),
        ),
    )


def _context(policy: Policy, host: Host) -> dict[str, object]:
    """What the templates of this role get beside the variables."""
    shared, ours = policy.of(agent_policy.Variables), policy.of(Variables)
    builds = parallelism(policy, host.budget, host.observed.cpus)
    return {
        "prefix": shared.prefix,
        "group": shared.group,
        "channel": shared.rust_channel,
        "policy_kib": shared.memory_per_agent // KIB,
        "slots": builds.slots,
        "jobs": "cargo" if ours.jobs == "cargo" else builds.jobs,
        "slot_folder": SLOTS,
        "notice_after": NOTICE_AFTER,
        "notice_every": NOTICE_EVERY,
        "environment_file": f"{shared.prefix}/etc/agent.env",
    }


def _programs(policy: Policy, host: Host) -> Iterator[Entry]:
    context, prefix = _context(policy, host), policy.of(agent_policy.Variables).prefix
    for path, source, mode in (
        ("bin/run_limited.sh", "run_limited_template", "0755"),
        ("bin/cargo_agent.sh", "cargo_agent_template", "0755"),
        ("libexec/cargo_rules.sh", "cargo_rules_file", "0644"),
        ("libexec/cargo_config.sh", "cargo_config_file", "0644"),
        ("libexec/cargo_slots.sh", "cargo_slots_template", "0644"),
        ("libexec/cargo_queue.sh", "cargo_queue_template", "0644"),
        ("libexec/cargo-guard", "guard_template", "0755"),
    ):
        if source != "guard_template" or policy.of(Variables).guard != "none":
            content = Template(f"{ROLE}_{source}", context)
            yield Entry(f"{prefix}/{path}", content=content, mode=mode, validate="bash -n %s")
    guide = Template("agent_wrappers_guide_template", {**context, **_guide(policy, host)})
    yield Entry(f"{prefix}/GUIDE.md", content=guide, mode="0644")
    profile = Template("agent_wrappers_profile_template", context)
    yield Entry("/etc/profile.d/nova-agent.sh", content=profile, mode="0644", validate="sh -n %s")


def _guide(policy: Policy, host: Host) -> dict[str, object]:
    shared, toolchain = policy.of(agent_policy.Variables), policy.of(agent_toolchain.Variables)
    builds = parallelism(policy, host.budget, host.observed.cpus)
    ceiling, hygiene = policy.of(agent_ceiling.Variables), policy.of(agent_hygiene.Variables)
    return {
        "table": budget_table({**host.budget, "slots": builds.slots, "jobs": builds.jobs}),
        "usual_cap": shared.memory_per_agent == 4 << 30,
        "login": policy.values["agent_limits_login_address_space"],
        "ceiling": ceiling.enabled,
        "kill": ceiling.kill,
        "other_channels": sorted({extra["channel"] for extra in toolchain.extra} - {shared.rust_channel}),
        "sweeps": bool(hygiene.workspaces),
        "audit_logs": bool(hygiene.audit_logs),
    }


def _slots(policy: Policy, host: Host) -> Iterator[Entry]:
    """A lock for each slot, which agents may lock and not change; and the record of who holds it, which is theirs."""
    context, group = _context(policy, host), policy.of(agent_policy.Variables).group
    slots = range(1, parallelism(policy, host.budget, host.observed.cpus).slots + 1)
    tmpfiles = Template("agent_wrappers_tmpfiles_template", context)
    yield Entry("/etc/tmpfiles.d/nova-agent.conf", content=tmpfiles, mode="0644")
    yield Entry("/run/nova-agent", "directory", mode="0755")
    yield Entry(SLOTS, "directory", mode="0750", group=group)
    for name in ("turn", *(f"slot.{slot}" for slot in slots)):
        yield Entry(f"{SLOTS}/{name}", mode="0640", group=group)
    for slot in slots:
        yield Entry(f"{SLOTS}/holder.{slot}", mode="0660", group=group)


def _checkouts(policy: Policy) -> Iterator[Entry]:
    """Links to the wrappers in the ``scripts`` folder of each checkout, as the operational guide has them."""
    programs = f"{policy.of(agent_policy.Variables).prefix}/bin"
    for checkout in policy.of(Variables).checkouts:
        for script in SCRIPTS:
            yield Entry(
                f"{checkout}/scripts/{script}", "link", target=f"{programs}/{script}", owner="", group="", foreign=True
            )


def _environment(policy: Policy, host: Host) -> Iterator[Entry]:
    shared, memory = policy.of(agent_policy.Variables), host.observed.memory
    split = nova_memory_split(
        memory["total"], memory["cgroup_limit"], shared.memory_per_agent, policy.of(Variables).nova_memory_total
    )
    path = f"{shared.prefix}/etc/agent.env"
    content = Template("agent_wrappers_environment_template", {**_context(policy, host), "split": split})
    yield Entry(path, content=content, mode="0644")
