# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""How many builds run side by side, and the entries of host_state of which there are as many as checkouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import Budget

SCRIPTS = ("cargo_agent.sh", "run_limited.sh")


class Parallelism(TypedDict):
    """What holds on a host, in the place of what its budget would have."""

    slots: int  #: Cargo commands that may compile at once.
    jobs: int  #: Jobs of each.


def parallelism(budget: Budget, cpus: int, slots: int | str = "auto", jobs: int | str = "auto") -> Parallelism:
    """``slots`` and ``jobs`` are agent_wrappers_slots and agent_wrappers_jobs, whose numbers may be text; ``budget`` is
    that of a host whose number of CPUs is known."""
    return {
        "slots": int(budget["slots"] or 1 if slots == "auto" else slots),
        "jobs": int(budget["jobs"] or 1 if jobs == "auto" else cpus if jobs == "cargo" else jobs),
    }


def checkout_entries(checkouts: Sequence[str], programs: str) -> list[dict[str, Any]]:
    """Links to the wrappers, in the ``scripts`` folder of each checkout, where the operational guide has them."""
    return [
        {"path": f"{checkout}/scripts/{script}", "state": "link", "target": f"{programs}/{script}"}
        for checkout in checkouts
        for script in SCRIPTS
    ]
