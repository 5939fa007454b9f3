# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The entries of host_state of which there are as many as slots and checkouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SCRIPTS = ("cargo_agent.sh", "run_limited.sh")


def slot_entries(slots: int, folder: str, group: str) -> list[dict[str, Any]]:
    """The folder of the slots: a turnstile, and for each slot a lock and a record of who holds it.

    Agents of ``group`` lock the locks and can't change them; they write the records, whose content is theirs.
    """
    locks = ["turn", *(f"slot.{slot}" for slot in range(1, slots + 1))]
    records = [f"holder.{slot}" for slot in range(1, slots + 1)]
    return [
        {"path": folder, "state": "directory", "mode": "0750", "group": group},
        *({"path": f"{folder}/{name}", "mode": "0640", "group": group} for name in locks),
        *({"path": f"{folder}/{name}", "mode": "0660", "group": group} for name in records),
    ]


def checkout_entries(checkouts: Sequence[str], programs: str) -> list[dict[str, Any]]:
    """Links to the wrappers, in the ``scripts`` folder of each checkout, where the operational guide has them."""
    return [
        {"path": f"{checkout}/scripts/{script}", "state": "link", "target": f"{programs}/{script}"}
        for checkout in checkouts
        for script in SCRIPTS
    ]
