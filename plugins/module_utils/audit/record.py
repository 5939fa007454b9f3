# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The shapes of the audit's JSON."""

from __future__ import annotations

from typing import TypedDict

UNREACHABLE = "unreachable"


class _ItemBase(TypedDict):
    role: str
    item: str
    kind: str
    status: str


class ItemView(_ItemBase, total=False):
    """An item in the audit's JSON: the result of Item.view."""

    why: str
    differs: list[str]
    diff: str


class _RecordBase(TypedDict):
    host: str
    status: str  #: ok, drifted, unknown or unreachable: the worst of the items.
    items: list[ItemView]


class Record(_RecordBase, total=False):
    why: str  #: The reason if the comparison is not complete.


class Totals(TypedDict):
    """The number of hosts and of items, by status."""

    hosts: dict[str, int]
    items: dict[str, int]


class FleetReport(TypedDict):
    """The whole JSON document."""

    collection: str
    version: str
    finished: str  #: A time, as in 2026-01-02T03:04:05Z.
    status: str  #: The worst status of all hosts.
    totals: Totals
    hosts: list[Record]
