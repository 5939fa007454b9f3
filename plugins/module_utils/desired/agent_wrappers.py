# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_wrappers: the wrappers that cap memory and queue builds, and cargo's guard. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..budget.arithmetic import Budget
from ..budget.nova import nova_memory_split
from ..budget.table import budget_table
from . import agent_ceiling, agent_hygiene, agent_policy, agent_toolchain
from . import variables as read
from .policy import Host, Policy, no_problems
from .shapes import Entry, Template, Unit, Wanted
from .unit_files import Timer
from .units import FOLDER
from .variables import variable

ROLE = "agent_wrappers"
POOL = "/run/nova-agent/pool"  #: Names the semaphores of the memory pool.
POOL_UNIT = "nova-agent-pool.service"
JOURNAL = "/run/systemd/journal/socket"  #: Where wrapped commands send their records.
SCRIPTS = ("cargo_agent.sh", "run_limited.sh")
# Compiles a program of perl and the functions after __END__, and runs nothing.
WITH_END = "perl -0777 -ne 's/^__END__$//m; eval \"sub { $_ }\" or die $@' %s"
# The parts of the wrappers below libexec/, and the command that validates each.
FILES = {
    "cargo_gate.sh": "bash -n %s",
    "memory-gate": WITH_END,
    "cargo-command": WITH_END,
    "memory-pool": "perl -c %s",
    "pool-check": "perl -c %s",
    "nested/cargo": "sh -n %s",
}
GATES = ("rustdoc", "miri", "runner", "program")  #: Further names of memory-gate.


@dataclass(frozen=True)
class Variables:
    slots: int | str = variable(read.auto_or_number(9999, "auto"))
    jobs: int | str = variable(read.auto_or_number(9999, "auto", "cargo"))
    guard: str = variable()
    idle_minutes: int = variable(read.from_zero)
    orphan_minutes: int = variable(read.from_zero)
    ledger: bool = variable()
    checkouts: tuple[str, ...] = variable(read.folders)
    nova_memory_total: int | None = variable(read.optional_size)


@dataclass(frozen=True)
class Parallelism:
    """The number of parallel builds on a host."""

    slots: int  #: Cargo commands that may compile at once.
    jobs: int  #: Jobs of each.


def parallelism(policy: Policy, budget: Budget, cpus: int) -> Parallelism:
    ours = policy.of(Variables)
    slots = budget["slots"] or 1 if ours.slots == "auto" else ours.slots
    jobs = budget["jobs"] or 1 if ours.jobs == "auto" else cpus if ours.jobs == "cargo" else ours.jobs
    return Parallelism(int(slots), int(jobs))


problems = host_problems = no_problems


def wanted(policy: Policy, host: Host) -> Wanted:
    ours, prefix, context = policy.of(Variables), policy.of(agent_policy.Variables).prefix, _context(policy, host)
    pool_check = Timer(
        "nova-agent-pool-check",
        Template(f"{ROLE}/templates/pool-check.service.j2", context),
        Template(f"{ROLE}/templates/pool-check.timer.j2", context),
    )
    changes = (f"{prefix}/etc/policy.env", f"{prefix}/libexec/memory-pool")
    return Wanted(
        ROLE,
        entries=(
            *_programs(prefix, context, ours.guard),
            Entry(f"{prefix}/GUIDE.md", content=_guide(policy, host, context), mode="0644"),
            *_pool(prefix, context),
            *pool_check.entries,
            *_checkouts(prefix, ours.checkouts),
            *([_environment(policy, host, context)] if ours.nova_memory_total else ()),
        ),
        # A restart would remove the pool while builds use it; another version may have other places in the set.
        units=(Unit(POOL_UNIT, own=True, active=True, reload_on=changes), *pool_check.units),
    )


def _context(policy: Policy, host: Host) -> dict[str, object]:
    """The values for the templates of this role, in addition to the variables."""
    shared, ours = policy.of(agent_policy.Variables), policy.of(Variables)
    builds, accounts = parallelism(policy, host.budget, host.observed.cpus), host.observed.accounts
    return {
        "prefix": shared.prefix,
        # The host may not know the name of an LDAP group early in the boot.
        "group": shared.group if accounts.group_is_local or accounts.group_id is None else accounts.group_id,
        "rust_channel": shared.rust_channel,
        "memory_per_agent": shared.memory_per_agent,
        "memory_hard_limit": shared.memory_hard_limit,
        "slots": builds.slots,
        "jobs": "cargo" if ours.jobs == "cargo" else builds.jobs,
        "guard": ours.guard,
        "idle_seconds": 60 * ours.idle_minutes,
        "orphan_seconds": 60 * ours.orphan_minutes,
        "ledger": JOURNAL if ours.ledger else "",
        "pool": POOL,
        "pool_bytes": host.budget["available"],
        "low_memory": host.budget["headroom"],
        "environment_file": f"{shared.prefix}/etc/agent.env",
    }


def _programs(prefix: str, context: dict[str, object], guard: str) -> Iterator[Entry]:
    for path, source, mode in (
        ("bin/run_limited.sh", "run_limited_template", "0755"),
        ("bin/cargo_agent.sh", "cargo_agent_template", "0755"),
        ("libexec/cargo_rules.sh", "cargo_rules_file", "0644"),
        ("libexec/cargo_config.sh", "cargo_config_file", "0644"),
        ("libexec/cargo-guard", "guard_template", "0755"),
    ):
        if source != "guard_template" or guard != "none":
            content = Template(f"{ROLE}_{source}", context)
            yield Entry(f"{prefix}/{path}", content=content, mode=mode, validate="bash -n %s")
    for name, validate in FILES.items():
        mode = "0644" if name.endswith((".sh", ".pl")) else "0755"
        part = Template(f"{ROLE}/files/{name.replace('/', '-')}")
        yield Entry(f"{prefix}/libexec/{name}", content=part, mode=mode, validate=validate)
    for name in GATES:
        yield Entry(f"{prefix}/libexec/{name}", "link", target="memory-gate")
    profile = Template("agent_wrappers_profile_template", context)
    yield Entry("/etc/profile.d/nova-agent.sh", content=profile, mode="0644", validate="sh -n %s")


def _guide(policy: Policy, host: Host, context: dict[str, object]) -> Template:
    shared, toolchain = policy.of(agent_policy.Variables), policy.of(agent_toolchain.Variables)
    builds = parallelism(policy, host.budget, host.observed.cpus)
    ceiling, hygiene = policy.of(agent_ceiling.Variables), policy.of(agent_hygiene.Variables)
    guide = {
        "table": budget_table({**host.budget, "slots": builds.slots, "jobs": builds.jobs}),
        "usual_cap": shared.memory_per_agent == 4 << 30,
        "login": policy.values["agent_limits_login_address_space"],
        "ceiling": ceiling.enabled,
        "kill": ceiling.kill,
        "other_channels": sorted({extra["channel"] for extra in toolchain.extra} - {shared.rust_channel}),
        "sweeps": bool(hygiene.workspaces),
        "audit_logs": bool(hygiene.audit_logs),
    }
    return Template("agent_wrappers_guide_template", {**context, **guide})


def _pool(prefix: str, context: dict[str, object]) -> Iterator[Entry]:
    """The numbers of the host, and the unit that creates the memory pool at boot."""
    numbers = Template(f"{ROLE}/templates/policy.env.j2", context)
    unit = Template(f"{ROLE}/templates/nova-agent-pool.service.j2", context)
    yield Entry(f"{prefix}/etc/policy.env", content=numbers, mode="0644", validate="bash -n %s")
    yield Entry("/run/nova-agent", "directory", mode="0755")
    yield Entry(f"{FOLDER}/{POOL_UNIT}", content=unit, mode="0644")
    yield Entry(f"{FOLDER}/multi-user.target.wants/{POOL_UNIT}", "link", target=f"{FOLDER}/{POOL_UNIT}")


def _checkouts(prefix: str, checkouts: tuple[str, ...]) -> Iterator[Entry]:
    """Links to the wrappers in the folder ``scripts`` of each checkout, as the operational guide describes."""
    for checkout in checkouts:
        for script in SCRIPTS:
            path, target = f"{checkout}/scripts/{script}", f"{prefix}/bin/{script}"
            yield Entry(path, "link", target=target, owner="", group="", foreign=True)


def _environment(policy: Policy, host: Host, context: dict[str, object]) -> Entry:
    memory, cap = host.observed.memory, policy.of(agent_policy.Variables).memory_per_agent
    split = nova_memory_split(memory["total"], memory["cgroup_limit"], cap, policy.of(Variables).nova_memory_total)
    content = Template("agent_wrappers_environment_template", {**context, "split": split})
    return Entry(str(context["environment_file"]), content=content, mode="0644")
