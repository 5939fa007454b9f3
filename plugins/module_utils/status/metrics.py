# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The facts of agent-status as OpenMetrics. Only gauges, which are also valid in Prometheus' text format. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Optional, Union

from ..host.ledger import Ledger
from .facts import Facts, FileSystem
from .pool import Slots

Number = Union[int, float, None]
Samples = Iterable[tuple[Mapping[str, str], Number]]
DISK: list[tuple[str, str, Callable[[FileSystem], Number]]] = [
    ("disk_free_bytes", "Free space for accounts other than root.", lambda one: one["free"]),
    ("disk_free_ratio", "Free share of bytes or of inodes, whichever is smaller.", lambda one: one["free_share"]),
    ("disk_free_min_ratio", "If less is free, target folders are removed.", lambda one: one["free_min"]),
    ("disk_free_goal_ratio", "The removal ends if so much is free.", lambda one: one["free_goal"]),
]


def metrics(facts: Facts) -> str:
    """A value that is not known is absent."""
    budget, memory, drift = facts["budget"], facts["memory"], facts["drift"]
    agents, pool, slots = facts["agents"], facts["pool"], facts["slots"]
    families: list[tuple[str, str, Samples]] = [
        ("time_seconds", "When this was measured.", _one(round(facts["time"], 3))),
        ("agents_running", "Running agents.", [({"counted_by": agents["counted_by"]}, agents["running"])]),
        ("agents_recommended", "Agents that the budget recommends.", _one(budget["recommended_agents"])),
        ("agents_max", "Maximum number of agents that fit.", _one(budget["max_agents"])),
        ("memory_in_use_bytes", "Memory in use by agents.", [({"scope": memory["scope"]}, memory["in_use"])]),
        ("memory_available_bytes", "Memory for agents in the budget.", _one(budget["available"])),
        ("memory_ceiling_bytes", "Maximum of all sessions; absent without a ceiling.", _one(memory["ceiling"])),
        ("oom_kills", "Processes that the OOM killer ended since the boot.", _one(facts["trouble"]["killed"])),
        (
            "pressure_waiting_ratio",
            "Share of the last minute in which some or all (full) processes of the host waited.",
            [
                ({"resource": resource, "kind": kind}, round(row["avg60"] / 100, 6))
                for resource, kinds in sorted(facts["pressure"].items())
                for kind, row in sorted(kinds.items())
            ],
        ),
        ("pool_bytes", "Memory that wrapped commands share.", _one(pool["total"])),
        ("pool_held_bytes", "Memory of all permits that are in use.", _of(pool, pool["held"])),
        ("pool_waiting", "Processes that wait for memory.", _of(pool, len(pool["waiting"]))),
        ("slots", "Cargo commands that may compile at once.", _one(slots["total"])),
        ("slots_held", "Slots in use.", _of(slots, slots["held"])),
        ("slots_waiting", "Commands that wait for a slot.", _of(slots, len(slots["waiting"]))),
        *_of_ledger(facts["ledger"]),
        (
            "drift_paths",
            "Paths that differ from the last apply.",
            _one(None if drift is None else len(drift["changed"])),
        ),
    ]
    file_systems = facts["disk"]["file_systems"] if facts["disk"] else []
    families += [
        (name, text, [({"mount": _label(one["path"])}, value(one)) for one in file_systems])
        for name, text, value in DISK
    ]
    lines = [line for name, text, samples in families for line in _family(name, text, samples)]
    return "\n".join([*lines, "# EOF", ""])


def _of_ledger(ledger: Ledger | None) -> list[tuple[str, str, Samples]]:
    if ledger is None:
        return []
    waits = ledger["waits"]
    waited = [
        ({"for": name, "quantile": quantile}, milliseconds / 1000)
        for name, spread in (("slot", waits["slot"]), ("memory", waits["memory"]))
        for quantile, milliseconds in (("0.5", spread["p50"]), ("0.95", spread["p95"]))
    ]
    ran = [({"quantile": "0.5"}, waits["ran"]["p50"] / 1000), ({"quantile": "0.95"}, waits["ran"]["p95"] / 1000)]
    return [
        ("commands_seen", "Wrapped commands of the last day, for the next values.", _one(waits["commands"])),
        ("command_wait_seconds", "Quantiles of the time that commands waited.", waited),
        ("command_run_seconds", "Quantiles of the time that commands ran.", ran),
        ("commands_seeded", "Commands that copied a seed.", _one(waits["seeded"])),
        (
            "command_cap_hit_ratio",
            "Share of commands in which a process died at its cap.",
            _one(waits["hit_share"] / 1000),
        ),
    ]


def _one(value: Number) -> Samples:
    return [({}, value)]


def _of(part: Slots, value: Number) -> Samples:
    """None without the pool."""
    return _one(None if part["total"] is None else value)


def _family(name: str, text: str, samples: Samples) -> list[str]:
    full = f"nova_agent_{name}"
    unit: Optional[str] = next((one for one in ("seconds", "bytes", "ratio") if name.endswith(f"_{one}")), None)
    rows = [f"{full}{_labels(labels)} {value}" for labels, value in samples if value is not None]
    head = [f"# TYPE {full} gauge", *([f"# UNIT {full} {unit}"] if unit else []), f"# HELP {full} {text}"]
    return [*head, *rows] if rows else []


def _labels(labels: Mapping[str, str]) -> str:
    """The values need no quoting: they are constants, or results of ``_label``."""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
