# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=disallowed-name
# ("bar" is a bar on the screen, "_" an unused value)
"""The text view of agent-status: ASCII lines of at most 80 columns. Pure."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence

from ..sizes import readable_size
from ..text import counted
from .advice import advice, percent, seconds
from .facts import Facts
from .pool import Caller

WIDTH = 80
LABEL = 10
ROWS = 8  # lines of a list; --json has all
BAR = WIDTH - LABEL - 8
GREEN, YELLOW, RED, BOLD, PLAIN = "\033[32m", "\033[33m", "\033[31m", "\033[1m", "\033[0m"


def render(facts: Facts, colour: bool = False) -> list[str]:
    """The view as lines. ``facts`` have no control characters."""
    view = _View(colour)
    moment = _clock(facts["time"], facts["time"], whole=True)
    view.heading(f"{facts['host'][: WIDTH - len(moment) - 2]}  {moment}")
    _memory(view, facts)
    _agents(view, facts)
    _pool(view, facts)
    _slots(view, facts)
    _ledger(view, facts)
    _upkeep(view, facts)
    for note in facts["notes"]:
        view.say("note", note)
    for sentence in advice(facts):
        view.say("to do", sentence, RED)
    return view.lines


class _View:
    def __init__(self, colour: bool) -> None:
        self.colour = colour
        self.lines: list[str] = []

    def paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{PLAIN}" if self.colour and colour else text

    def heading(self, text: str) -> None:
        self.lines += [self.paint(text, BOLD), ""]

    def say(self, label: str, text: str, colour: str = "") -> None:
        first, *more = textwrap.wrap(text, WIDTH - LABEL) or [""]
        self.lines.append(self.paint(f"{label:{LABEL}}", colour or BOLD) + first)
        self.lines += [" " * LABEL + line for line in more]

    def row(self, text: str) -> None:
        """One line of a list, cut if it is too long."""
        room = WIDTH - LABEL
        self.lines.append(" " * LABEL + (text if len(text) <= room else f"{text[: room - 3]}..."))

    def rows(self, texts: Sequence[str], what: str) -> None:
        for text in texts[:ROWS]:
            self.row(text)
        if len(texts) > ROWS:
            self.row(f"and {len(texts) - ROWS} more {what}, see --json")

    def bar(self, part: float, whole: float) -> None:
        share = part / whole if whole else 0.0
        filled = min(BAR, round(share * BAR))
        colour = GREEN if share < 0.75 else YELLOW if share <= 0.95 else RED
        shown = self.paint("#" * filled, colour) + "." * (BAR - filled)
        self.lines.append(f"{' ' * LABEL}[{shown}] {min(share, 99.99):4.0%}".rstrip())


def _memory(view: _View, facts: Facts) -> None:
    memory, trouble, budget = facts["memory"], facts["trouble"], facts["budget"]
    available = budget["available"]
    in_use = readable_size(memory["in_use"])
    of_budget = f"; the budget has {readable_size(available)} for agents"
    if memory["ceiling"]:
        view.say("memory", f"{in_use} in use by all sessions, of at most {readable_size(memory['ceiling'])}")
    elif memory["scope"] == "sessions":
        view.say("memory", f"{in_use} in use by all sessions{of_budget}. No ceiling is set (agent_ceiling_enabled)")
    else:
        view.say(
            "memory",
            f"{in_use} in agents' processes, shared pages counted for each{of_budget}. The host has no cgroup v2 with "
            "the memory controller, so pressure and kills are those of the whole host",
        )
    view.bar(memory["in_use"], memory["ceiling"] or available)
    pressure, killed = trouble["pressure"], trouble["killed"]
    if pressure:
        some, full = (pressure.get(kind, {}).get("avg60", 0.0) for kind in ("some", "full"))
        view.say(
            "pressure", f"at least one process waited for memory in {some:g} % of the last minute, all in {full:g} %"
        )
    else:
        view.say("pressure", "not measured: the kernel was started without psi=1")
    if facts["pressure"]:
        cpu, disk = (facts["pressure"].get(name, {}).get("some", {}).get("avg60", 0.0) for name in ("cpu", "io"))
        view.say(
            "cpu, disk",
            f"at least one process waited for a CPU in {cpu:g} % of the last minute, for the disk in {disk:g} %",
        )
    view.say(
        "killed", "not counted" if killed is None else f"{killed} processes since the boot, because memory was short"
    )


def _agents(view: _View, facts: Facts) -> None:
    agents, budget = facts["agents"], facts["budget"]
    text = f"{len(agents['logged_in'])} of {counted(agents['accounts'], 'account')} logged in"
    if agents["counted_by"] != "accounts":
        text += f", {agents['running']} {agents['counted_by']} run"
    view.say("agents", f"{text}; {budget['recommended_agents']} recommended, {budget['max_agents']} at most")
    view.bar(agents["running"], budget["recommended_agents"])
    texts = [
        f"{agent['user']:12} {readable_size(agent['memory']):>11} in {counted(agent['processes'], 'process', 'es')}, "
        f"{counted(agent['sessions'], 'session')}"
        for agent in agents["logged_in"]
    ]
    view.rows(texts, "agents")
    view.say(
        "budget",
        f"{readable_size(budget['available'])} for agents of {readable_size(budget['per_agent'])}: "
        f"{readable_size(budget['usable'])} without {readable_size(budget['system_reserve'])} for the system and "
        f"{readable_size(budget['headroom'])} of headroom",
    )


def _pool(view: _View, facts: Facts) -> None:
    pool, now = facts["pool"], facts["time"]
    if pool["total"] is None:
        view.say("pool", pool["problem"] or "")
        return
    view.say(
        "pool",
        f"{readable_size(pool['held'])} of {readable_size(pool['total'])} held by builds and tests, "
        f"{counted(len(pool['waiting']), 'process', 'es')} waiting",
    )
    view.bar(pool["held"], pool["total"])
    view.rows([_caller(caller, now) for caller in pool["holders"]], "held")
    view.rows([f"->  {_caller(caller, now)}" for caller in pool["waiting"]], "waiting")


def _slots(view: _View, facts: Facts) -> None:
    slots, now = facts["slots"], facts["time"]
    if slots["total"] is None:
        return
    view.say("slots", f"{slots['held']} of {slots['total']} held, {counted(len(slots['waiting']), 'command')} waiting")
    view.bar(slots["held"], slots["total"])
    view.rows([f"->  {_caller(caller, now)}" for caller in slots["waiting"]], "waiting")


def _ledger(view: _View, facts: Facts) -> None:
    if facts["ledger"] is None:
        return
    waits = facts["ledger"]["waits"]
    slot, memory, ran = waits["slot"], waits["memory"], waits["ran"]
    view.say(
        "waits",
        f"{counted(waits['commands'], 'command')} of {counted(waits['accounts'], 'account')} in the last day: half "
        f"waited up to {seconds(slot['p50'])} for a slot and {seconds(memory['p50'])} for memory, and ran up to "
        f"{seconds(ran['p50'])}; 95 % waited up to {seconds(slot['p95'])} and {seconds(memory['p95'])}, and ran up to "
        f"{seconds(ran['p95'])}",
    )
    rows = [
        f"{percent(hit['share'])} of {hit['of']} {hit['command']}: {hit['process']} died at {readable_size(hit['cap'])}"
        for hit in facts["ledger"]["hits"]
    ]
    view.rows(rows, "that died at their cap")


def _caller(caller: Caller, now: float) -> str:
    memory = f"{readable_size(caller['memory'])} " if caller["memory"] else ""
    since = f"since {_clock(caller['since'], now)} ({_elapsed(now - caller['since'])})"
    return f"{caller['user']} {memory}{since} {caller['pid']}: {caller['command']}"


def _upkeep(view: _View, facts: Facts) -> None:
    toolchain, drift, disk = facts["toolchain"], facts["drift"], facts["disk"]
    if toolchain is None:
        view.say("toolchain", "not installed by role agent_toolchain")
    else:
        state = "as installed" if not toolchain["problems"] else counted(len(toolchain["problems"]), "problem")
        view.say("toolchain", f"Rust {', '.join(toolchain['installed']) or 'none'}: {state}")
        view.rows(toolchain["problems"], "problems")
    if drift is None:
        view.say("drift", "unknown")
    else:
        hidden = f"; {len(drift['unreadable'])} can be read by root only" if drift["unreadable"] else ""
        changed = counted(len(drift["changed"]), "path")
        view.say("drift", f"{changed} of {drift['recorded']} changed since the last apply{hidden}")
        view.rows([f"{change['path']}: {change['what']}" for change in drift["changed"]], "changed")
    if facts["seeds"]:
        ledger = facts["ledger"]
        taken = f"; taken {ledger['waits']['seeded']} times in the last day" if ledger else ""
        size = readable_size(sum(seed.bytes for seed in facts["seeds"]))
        view.say("seeds", f"{counted(len(facts['seeds']), 'seed')} of built dependencies, {size}{taken}")
        rows = [
            f"{readable_size(seed.bytes):>11} {seed.name}, {seed.dependencies} of {seed.locked} crates, "
            f"{seed.problem or _elapsed(facts['time'] - seed.created) + ' old'}"
            for seed in facts["seeds"]
        ]
        view.rows(rows, "seeds")
    if disk is None:
        view.say("disk", "target folders were not measured yet (role agent_hygiene measures them)")
    else:
        for one in disk["file_systems"]:
            free, size = readable_size(one["free"]), readable_size(one["size"])
            view.say(
                "free",
                f"{one['path']}: {free} of {size} free, {one['free_share']:.0%}; folders are removed below "
                f"{one['free_min']:.0%}, until {one['free_goal']:.0%}",
                RED if one["free_share"] < one["free_min"] else "",
            )
        total = sum(folder["bytes"] for folder in disk["folders"])
        age = f", {_elapsed(facts['time'] - disk['measured_at'])} ago" if disk["measured_at"] else ""
        last = disk["last"]
        freed = (
            f"; {readable_size(int(last['freed']))} freed {_elapsed(facts['time'] - last['at'])} ago" if last else ""
        )
        view.say("disk", f"{readable_size(total)} in {counted(len(disk['folders']), 'target folder')}{age}{freed}")
        rows = [
            f"{readable_size(folder['bytes']):>11} {folder['path']} ({folder['owner']})" for folder in disk["folders"]
        ]
        view.rows(rows, "folders")


def _clock(moment: float, now: float, whole: bool = False) -> str:
    """Local time, with the date if it is another day."""
    shown, today = time.localtime(moment), time.localtime(now)
    same_day = shown[:3] == today[:3] and not whole
    return time.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S", shown)


def _elapsed(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
