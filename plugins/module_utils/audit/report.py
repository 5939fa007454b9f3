# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""An audit of a fleet for programs (a dictionary for JSON) and for people (a table). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..compare.items import DRIFTED, NOTE, OK, UNKNOWN
from ..text import counted, safe_text
from ..version import COLLECTION, VERSION
from .record import UNREACHABLE, FleetReport, ItemView, Record

HOST_STATUSES = (OK, DRIFTED, UNKNOWN, UNREACHABLE)
ITEM_STATUSES = (OK, DRIFTED, UNKNOWN, NOTE)
SHOWN = 20  # items of one host in the table
WIDTH = 300  # characters of one reason in the table
WORDS = {OK: "compliant", DRIFTED: "drifted", UNKNOWN: "not checkable", UNREACHABLE: "not reached", NOTE: "note"}


def fleet_report(records: Sequence[Record], finished: str) -> FleetReport:
    hosts = [record["status"] for record in records]
    items = [item["status"] for record in records for item in record["items"]]
    return {
        "collection": COLLECTION,
        "version": VERSION,
        "finished": finished,
        "status": max(hosts, key=HOST_STATUSES.index, default=OK),
        "totals": {
            "hosts": {status: hosts.count(status) for status in HOST_STATUSES},
            "items": {status: items.count(status) for status in ITEM_STATUSES},
        },
        "hosts": list(records),
    }


def verdict(record: Record) -> str:
    """One line about one host."""
    if "why" in record:
        return f"{WORDS[record['status']]}: {_line(record['why'])}"
    items = record["items"]
    counts = {status: sum(item["status"] == status for item in items) for status in (DRIFTED, UNKNOWN)}
    parts = [f"{count} {WORDS[status]}" for status, count in counts.items() if count]
    return f"{', '.join(parts) if parts else 'all compliant'} (of {counted(len(items), 'item')})"


def table(report: FleetReport) -> str:
    """Drift and notes by host, and one summary line."""
    lines = [line for record in report["hosts"] for line in _host_lines(record)]
    counts = report["totals"]["hosts"]
    parts = [f"{count} {WORDS[status]}" for status, count in counts.items() if count]
    total, items = sum(counts.values()), sum(report["totals"]["items"].values())
    summary = f"audit: {counted(total, 'host')}, {counted(items, 'item')}: "
    return "\n".join([*lines, summary + ("all compliant" if counts[OK] == total else ", ".join(parts))])


def findings(record: Record) -> list[ItemView]:
    """The items that are not ok, the worst first. Without those that are unknown because the comparison ended early."""
    kinds = (DRIFTED, NOTE) if "why" in record else (DRIFTED, UNKNOWN, NOTE)
    return [item for kind in kinds for item in record["items"] if item["status"] == kind]


def _host_lines(record: Record) -> list[str]:
    shown = findings(record)
    if record["status"] == OK and not shown:
        return []
    more = [f"  and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
    return [f"{_line(record['host'])}: {verdict(record)}", *(_item_line(item) for item in shown[:SHOWN]), *more]


def _item_line(item: ItemView) -> str:
    return f"  {WORDS[item['status']]}: {item['kind']} {_line(item['item'])}: {_line(item['why'])}"


def _line(text: str) -> str:
    return safe_text(text, WIDTH)
