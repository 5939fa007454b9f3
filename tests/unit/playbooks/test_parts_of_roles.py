# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Task files of roles that need values of other tasks: including one alone is an error with a hint."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook

ROLES = Path(__file__).parents[3] / "roles"
HINT = "include {} without tasks_from"
NAME = re.compile(r"\b__agent_\w+")


def values_of_others(tasks: Path) -> set[str]:
    """The private variables that a task file uses and does not set."""
    text = tasks.read_text()
    return set(NAME.findall(text)) - set(re.findall(r"(?:register: |^ *)(__agent_\w+)(?::|$)", text, re.MULTILINE))


PARTS = {
    (path.parents[1].name, path.stem): values_of_others(path)
    for path in sorted(ROLES.glob("*/tasks/*.yml"))
    if path.stem != "main" and values_of_others(path)
}


def test_each_value_has_a_hint_that_names_the_role() -> None:
    assert len(PARTS) == 5
    for (role, _part), names in PARTS.items():
        hints = yaml.safe_load((ROLES / role / "vars/main.yml").read_text())
        for name in names:
            assert HINT.format(role) in hints[name]


def test_task_file_included_alone_fails_with_the_hint(tmp_path: Path) -> None:
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {
                    "block": [
                        {"ansible.builtin.include_role": {"name": f"nova.agent_host.{role}", "tasks_from": part}}
                    ],
                    "rescue": [{"ansible.builtin.debug": {"msg": f"refused {role} {part}"}}],
                }
            ],
        }
        for role, part in PARTS
    ]
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump(plays))
    run = ansible_playbook(str(path), "--check", "-i", "localhost,", "-c", "local", cwd=tmp_path)
    for role, part in PARTS:
        assert f"refused {role} {part}" in run.stdout
        assert HINT.format(role) in run.stdout + run.stderr
