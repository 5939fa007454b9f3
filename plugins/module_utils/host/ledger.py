# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Waiting times, build times and caps that were hit, computed from the journal's records of wrapped commands.

An agent can write false records into the journal, but only for its own account. So a bounded number of records is read
for each account, and each account has the same weight.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional, TypedDict

from ..observed.shapes import Spread, Waits
from ..warm.seeds import SEED
from .journal import open_journal

DAY = 86400.0
MOST_RECORDS = 3000  # of all accounts together
MOST_OF_ONE = 500
LEAST_OF_ONE = 10
MOST_HITS = 20
LONGEST = 10**9  # milliseconds, 11 days
LARGEST = 1 << 60  # bytes
NUMBERS = ("SLOT_MS", "MEMORY_MS", "RAN_MS", "CAP_BYTES")
TEXTS = ("COMMAND", "HIT", "ENDED", "SEED")
COMMAND = re.compile(r"cargo [A-Za-z][\w.-]{0,40}(?: [a-z]{1,20})?(?: -p [\w.@/:+-]{1,60})?", re.ASCII)
PROCESS = re.compile(r"(?:rustc|rustc test|link|rustdoc|miri|test|program)(?: [\w.-]{1,60})?", re.ASCII)


class Hit(TypedDict):
    """A process that died at its cap."""

    process: str  #: Such as "link nova-lsp".
    command: str  #: Such as "cargo build -p nova-lsp".
    cap: int  #: The largest cap that was too small.
    hit: int  #: Number of commands in which it died.
    of: int  #: Number of all commands with this text.
    share: int  #: hit / of, per thousand; each account has the same weight.
    enough: Optional[int]  #: The smallest cap with which the command passed; None if not known.


class Ledger(TypedDict):
    measured_at: float  #: Seconds since the epoch.
    waits: Waits
    hits: list[Hit]  #: Those of most accounts first, then the largest share.


@dataclass(frozen=True)
class Record:
    """One wrapped command."""

    account: str
    command: str
    slot: int
    memory: int
    ran: int
    cap: int  #: Bytes; 0: none.
    hit: str  #: The process that died at its cap; empty: none.
    passed: bool
    seed: str = ""  #: The seed that it copied; empty: none.


def read_ledger(members: Mapping[int, str]) -> Ledger | None:
    """The commands of the accounts ``members`` (by uid) in the last day; None if the journal has no record of them."""
    each = max(LEAST_OF_ONE, min(MOST_OF_ONE, MOST_RECORDS // max(1, len(members))))
    now = time.time()
    fields = [f"NOVA_CARGO_{name}" for name in (*NUMBERS, *TEXTS)]
    records: list[Record] = []
    with open_journal() as journal:
        for uid, account in members.items():
            if journal is None:
                break
            matches = (f"_UID={uid}", "SYSLOG_IDENTIFIER=cargo_agent")
            records += parse_records(account, journal.newest(matches, fields, each, now - DAY))
    return summary(records, now) if records else None


def parse_records(account: str, entries: Iterable[Mapping[str, str]]) -> list[Record]:
    """The valid records. An entry that no wrapped command can have written is left out."""
    found = []
    for entry in entries:
        texts = {name: entry.get(f"NOVA_CARGO_{name}", "") for name in (*NUMBERS, *TEXTS)}
        if not all(re.fullmatch(r"[0-9]{1,19}", texts[name]) for name in NUMBERS):
            continue
        slot, memory, ran, cap = (int(texts[name]) for name in NUMBERS)
        command, hit = texts["COMMAND"], texts["HIT"]
        if max(slot, memory, ran) > LONGEST or cap > LARGEST or not COMMAND.fullmatch(command):
            continue
        if hit and not PROCESS.fullmatch(hit):
            continue
        seed = texts["SEED"] if SEED.fullmatch(texts["SEED"]) else ""
        found.append(Record(account, command, slot, memory, ran, cap, hit, texts["ENDED"] == "exit 0", seed))
    return found


def summary(records: Sequence[Record], measured_at: float = 0.0) -> Ledger:
    counts: dict[str, int] = {}
    for record in records:
        counts[record.account] = counts.get(record.account, 0) + 1
    weights = [1 / counts[record.account] for record in records]
    return {
        "measured_at": measured_at,
        "waits": {
            "commands": len(records),
            "accounts": len(counts),
            "slot": _spread([record.slot for record in records], weights),
            "memory": _spread([record.memory for record in records], weights),
            "ran": _spread([record.ran for record in records], weights),
            "seeded": sum(bool(record.seed) for record in records),
            "hit_share": round(
                1000 * sum(weight for record, weight in zip(records, weights) if record.hit) / len(counts)
            ),
        },
        "hits": _hits(records),
    }


def _spread(values: Sequence[int], weights: Sequence[float]) -> Spread:
    ordered = sorted(zip(values, weights))
    whole = math.fsum(weights)

    def quantile(share: float) -> int:
        reached = 0.0
        for value, weight in ordered:
            reached += weight
            if reached >= share * whole - 1e-9:
                return value
        return ordered[-1][0]

    return {"p50": quantile(0.5), "p95": quantile(0.95)}


def _hits(records: Sequence[Record]) -> list[Hit]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.hit:
            groups.setdefault((record.hit, record.command), []).append(record)
    found: list[tuple[int, Hit]] = []
    for (process, command), hits in groups.items():
        same = [record for record in records if record.command == command]
        accounts = {record.account for record in same}
        shares = [_share(account, hits, same) for account in accounts]
        cap = max(record.cap for record in hits)
        hit: Hit = {
            "process": process,
            "command": command,
            "cap": cap,
            "hit": len(hits),
            "of": len(same),
            "share": round(1000 * sum(shares) / len(shares)),
            "enough": min((record.cap for record in same if record.passed and record.cap > cap), default=None),
        }
        found.append((len({record.account for record in hits}), hit))
    # An account can invent commands that always die, but not the accounts of others.
    found.sort(key=lambda one: (-one[0], -one[1]["share"], one[1]["process"], one[1]["command"]))
    return [hit for _accounts, hit in found[:MOST_HITS]]


def _share(account: str, hits: Sequence[Record], same: Sequence[Record]) -> float:
    return sum(one.account == account for one in hits) / sum(one.account == account for one in same)
