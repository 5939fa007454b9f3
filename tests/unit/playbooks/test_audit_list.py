# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Audit compares just what site applies, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


def roles(playbook: Path) -> Iterator[str]:
    """The roles that a playbook, or a file of tasks, imports."""
    (play, *_others) = content = yaml.safe_load(playbook.read_text())
    yield from imported(play.get("tasks", content), playbook.parent)


def imported(tasks: list[dict], folder: Path) -> Iterator[str]:
    for task in tasks:
        if "ansible.builtin.import_role" in task:
            yield task["ansible.builtin.import_role"]["name"]
        elif "ansible.builtin.import_tasks" in task:
            yield from roles(folder / task["ansible.builtin.import_tasks"])
        elif "block" in task:
            yield from imported(task["block"], folder)


def test_site_and_audit_have_the_same_roles():
    site, audit = (list(roles(PLAYBOOKS / f"{name}.yml")) for name in ("site", "audit"))
    assert site == audit
    assert len(site) >= 5
