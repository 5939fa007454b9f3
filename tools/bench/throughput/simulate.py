# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The number of cargo commands that a host completes with different rules: recorded builds, simulated hosts.

An agent starts a command, waits until it ends, thinks for 20 to 120 seconds and starts the next. One of four commands is a cold
build; three follow an edit: two tests and a check of one crate. Running processes share the CPUs equally, or their
accounts do.
"""

from __future__ import annotations

import heapq
import json
import random
import statistics
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import compute_budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.host import HostSize
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import BudgetPolicy

GIB = 1024  # of MiB
PROFILES = json.loads((Path(__file__).parent / "profiles.json").read_text())
# CPU seconds of each command in a product of medium size. The recorded times are scaled to these.
SECONDS = {"cold test": 600.0, "next test": 30.0, "next check": 10.0}
CAP = 4 * GIB
HOUR = 3600.0
THINK = (20, 120)


class Unit(NamedTuple):
    """One process of a command."""

    kind: str
    seconds: float
    mapped: int  #: MiB of address space.
    needs: tuple[int, ...]  #: Which other processes must have ended.


@dataclass(frozen=True)
class Rule:
    """The rule that decides which process may run."""

    name: str
    slots: int  #: Commands at once on the host.
    jobs: int  #: Processes of one command.
    pool: int = 0  #: MiB that all processes together hold; 0 for no bound.
    tokens: int = 0  #: Processes at once on the host; 0 for no bound.
    first: int = 0  #: MiB that a compiler which does not link holds at first; it starts again with the cap if that is too little.
    by_account: bool = False  #: Accounts share the CPUs equally, and not processes.


@dataclass
class Command:
    agent: int
    kind: str
    units: list[Unit]
    started: float
    left: list[int] = field(default_factory=list)  #: How many needs each unit still waits for.
    ready: list[int] = field(default_factory=list)
    active: int = 0
    done: int = 0


class Clock(NamedTuple):
    """The end of a running process, measured in the work of each process with the same share."""

    work: float
    number: int
    command: Command
    unit: int
    holds: int


@dataclass
class Running:
    """Processes with the same share of the CPUs, so each does the same amount of work: those of an account, or of the host."""

    ends: list[Clock] = field(default_factory=list)
    work: float = 0.0  #: CPU seconds of each, so far.
    rate: float = 0.0  #: CPUs of each.


def share(groups: Collection[Running], cpus: int) -> None:
    """Divide the CPUs. A group gets the CPUs that others do not need."""
    left, others = float(cpus), len(groups)
    for group in sorted(groups, key=lambda one: len(one.ends)):
        count = len(group.ends)
        taken = min(count, left / others)
        group.rate = taken / count
        left, others = left - taken, others - 1


@dataclass
class Outcome:
    """The result of an hour."""

    waits: list[tuple[float, str]] = field(
        default_factory=list
    )  #: Seconds from start to end of each command, and its kind.
    busy: float = 0.0
    most_held: int = 0
    most_running: int = 0

    def quantile(self, share: float, kind: str = "") -> float:
        taken = sorted(seconds for seconds, which in self.waits if kind in ("", which))
        return taken[int(len(taken) * share)] if taken else 0.0


def commands() -> dict[str, list[Unit]]:
    """The recorded commands, with more CPU time."""
    found = {}
    for name, notes in PROFILES.items():
        place = {note["name"]: number for number, note in enumerate(notes)}
        scale = SECONDS[name] / sum(note["seconds"] for note in notes)
        found[name] = [
            Unit(
                note["kind"],
                note["seconds"] * scale,
                note["mapped"],
                tuple({place[need] for need in note["needs"] if place.get(need, number) < number})
                # A test starts after all links.
                or (tuple(range(number)) if note["kind"] == "test" else ()),
            )
            for number, note in enumerate(notes)
        ]
    return found


def simulate(rule: Rule, agents: int, cpus: int, seed: int = 1, horizon: float = HOUR) -> Outcome:
    """One hour on a host."""
    generator = random.Random(seed)
    known = commands()
    needed_by = {
        kind: [[other for other, what in enumerate(units) if place in what.needs] for place in range(len(units))]
        for kind, units in known.items()
    }
    result = Outcome()
    starts = [(generator.uniform(0, 60), agent) for agent in range(agents)]
    heapq.heapify(starts)
    slot_queue: deque[Command] = deque()
    queues: dict[int, deque[tuple[Command, int, int]]] = {}  # by account: command, unit, permit
    turns: deque[int] = deque()  # accounts in the host's queue
    running: dict[int, Running] = {}  # by account, or all below 0
    now = 0.0
    free_slots, free, tokens, number, active = rule.slots, rule.pool, rule.tokens, 0, 0
    held = 0

    def hold(unit: Unit) -> int:
        return rule.first if rule.first and unit.kind == "lib" else CAP

    def ask(command: Command) -> None:
        while command.ready and command.active < rule.jobs:
            unit = command.ready.pop()
            command.active += 1
            queue = queues.setdefault(command.agent, deque())
            queue.append((command, unit, hold(command.units[unit])))
            if len(queue) == 1:
                turns.append(command.agent)

    def admit() -> None:
        nonlocal free, held, tokens, number, active
        while turns:
            queue = queues[turns[0]]
            command, unit, holds = queue[0]
            if (rule.pool and free < holds) or (rule.tokens and not tokens):
                return  # only the head of the queue waits for memory
            queue.popleft()
            agent = turns.popleft()
            if queue:
                turns.append(agent)
            free -= holds
            held += holds
            tokens -= 1
            number += 1
            what = command.units[unit]
            seconds = what.seconds
            if holds < CAP and what.mapped > holds:
                seconds *= 0.7  # until it fails
            group = running.setdefault(agent if rule.by_account else 0, Running())
            heapq.heappush(group.ends, Clock(group.work + seconds, number, command, unit, holds))
            active += 1
            result.most_running = max(result.most_running, active)
            result.most_held = max(result.most_held, held)

    def begin(command: Command) -> None:
        command.left = [len(unit.needs) for unit in command.units]
        command.ready = [place for place, left in enumerate(command.left) if not left]
        ask(command)

    while now < horizon:
        share(running.values(), cpus)
        next_end, first = min(
            ((now + (one.ends[0].work - one.work) / one.rate, key) for key, one in running.items()),
            default=(float("inf"), 0),
        )
        next_start = starts[0][0] if starts else float("inf")
        moment = min(next_end, next_start, horizon)
        result.busy += (moment - now) * min(cpus, active)
        for group in running.values():
            group.work += (moment - now) * group.rate
        now = moment
        if moment >= horizon:
            break
        if next_start <= next_end:
            _, agent = heapq.heappop(starts)
            kind = generator.choice(["cold test", "next test", "next test", "next check"])
            command = Command(agent, kind, known[kind], now)
            if free_slots:
                free_slots -= 1
                begin(command)
            else:
                slot_queue.append(command)
        else:
            _, _, command, unit, holds = heapq.heappop(running[first].ends)
            if not running[first].ends:
                del running[first]
            active -= 1
            free += holds
            held -= holds
            tokens += 1
            what = command.units[unit]
            if holds < CAP and what.mapped > holds:
                queues.setdefault(command.agent, deque()).append((command, unit, CAP))
                if len(queues[command.agent]) == 1:
                    turns.append(command.agent)
            else:
                command.active -= 1
                command.done += 1
                for other in needed_by[command.kind][unit]:
                    command.left[other] -= 1
                    if not command.left[other]:
                        command.ready.append(other)
                ask(command)
                if command.done == len(command.units):
                    result.waits.append((now - command.started, command.kind))
                    heapq.heappush(starts, (now + generator.uniform(*THINK), command.agent))
                    free_slots += 1
                    if slot_queue:
                        free_slots -= 1
                        begin(slot_queue.popleft())
        admit()
    result.busy /= horizon * cpus
    return result


HOSTS = {"192 CPUs, 1,536 GiB": (1536, 192), "192 CPUs, 768 GiB": (768, 192), "192 CPUs, 384 GiB": (384, 192),
         "64 CPUs, 512 GiB": (512, 64), "16 CPUs, 64 GiB": (64, 16)}  # fmt: skip


def rules(gib: int, cpus: int) -> tuple[int, list[Rule]]:
    """The number of agents of a host, and the compared rules."""
    budget = compute_budget(BudgetPolicy(), HostSize(gib << 30, cpus))
    agents, most, pool = budget["recommended_agents"], budget["max_agents"], budget["available"] >> 20
    old_slots = most // min(cpus, 32, most)
    return agents, [
        Rule("slots, as before", old_slots, min(cpus, most // old_slots)),
        Rule("CPUs / 48 slots, 32 jobs", max(1, cpus // 48), 32),
        Rule("a make jobserver for the host", agents, cpus, tokens=cpus),
        Rule("the gate", agents, min(cpus, 32, most), pool),
        Rule("the gate, 1 GiB first", agents, min(cpus, 32, most), pool, first=GIB),
        Rule("no bound", agents, cpus),
    ]


def compare_modest(report: Callable[[str], None]) -> None:
    """The command after an edit, for an account that is alone on the host and on the full host."""
    report(
        "\n| host, agents | rule | CPUs are shared by | commands a minute | edit p95 alone | on the full host | ratio |"
    )
    report("|---|---|---|--:|--:|--:|--:|")
    for host, (gib, cpus) in HOSTS.items():
        agents, compared = rules(gib, cpus)
        for rule in compared:
            if rule.name not in ("slots, as before", "the gate", "no bound"):
                continue
            alone = edit_p95(simulate(rule, 1, cpus, horizon=20 * HOUR))
            for by_account in (False, True):
                found = simulate(replace(rule, by_account=by_account), agents, cpus)
                cells = [
                    f"{host}, {agents}",
                    rule.name,
                    "account" if by_account else "process",
                    f"{len(found.waits) / 60:.1f}",
                    f"{alone:.0f} s",
                    f"{edit_p95(found):.0f} s",
                    f"{edit_p95(found) / alone:.2f}",
                ]
                report(f"| {' | '.join(cells)} |")


def edit_p95(found: Outcome) -> float:
    edit = sorted(seconds for seconds, kind in found.waits if kind != "cold test")
    return edit[int(len(edit) * 0.95)]


def compare_jobs(report: Callable[[str], None]) -> None:
    """The effect of the number of jobs of one command with the gate."""
    report("\n| host | jobs of a command | commands a minute | edit p50 / p95 | cold p50 / p95 |")
    report("|---|--:|--:|--:|--:|")
    for host in ("192 CPUs, 1,536 GiB", "192 CPUs, 384 GiB"):
        gib, cpus = HOSTS[host]
        agents, compared = rules(gib, cpus)
        gate = next(rule for rule in compared if rule.name == "the gate")
        for jobs in (4, 8, 16, 32, cpus):
            found = simulate(replace(gate, jobs=jobs), agents, cpus)
            edit = sorted(seconds for seconds, kind in found.waits if kind != "cold test")
            report(
                f"| {host} | {jobs} | {len(found.waits) / 60:.1f} | {statistics.median(edit):.0f} / "
                f"{edit[int(len(edit) * 0.95)]:.0f} s | {found.quantile(0.5, 'cold test'):.0f} / "
                f"{found.quantile(0.95, 'cold test'):.0f} s |"
            )


def main(report: Callable[[str], None] = print) -> None:
    report(
        "| host, agents | rule | commands a minute | all p50 / p95 | edit p50 / p95 | cold p50 / p95 | CPUs busy | most held |"
    )
    report("|---|---|--:|--:|--:|--:|--:|--:|")
    for host, (gib, cpus) in HOSTS.items():
        agents, compared = rules(gib, cpus)
        for number, rule in enumerate(compared):
            found = simulate(rule, agents, cpus)
            edit = sorted(seconds for seconds, kind in found.waits if kind != "cold test")
            cells = [
                f"{host}, {agents}" if not number else "",
                rule.name,
                f"{len(found.waits) / 60:.1f}",
                f"{found.quantile(0.5):.0f} / {found.quantile(0.95):.0f} s",
                f"{statistics.median(edit):.0f} / {edit[int(len(edit) * 0.95)]:.0f} s" if edit else "-",
                f"{found.quantile(0.5, 'cold test'):.0f} / {found.quantile(0.95, 'cold test'):.0f} s",
                f"{found.busy:.0%}",
                f"{found.most_held / GIB:,.0f} GiB",
            ]
            report(f"| {' | '.join(cells)} |")
    compare_jobs(report)
    compare_modest(report)


if __name__ == "__main__":
    main()
