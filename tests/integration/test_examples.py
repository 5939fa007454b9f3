# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The examples of ansible-doc, run unchanged on a host."""

from __future__ import annotations

import ast

import pytest
import yaml
from conftest import CHECKOUT

# Without rustup_toolchain and rustup_mirror, whose examples use upstream, and without examples for EC2.
ELSEWHERE = ("rustup_toolchain", "rustup_mirror", "plan")
PLUGINS = [
    path
    for folder in ("modules", "filter")
    for path in sorted((CHECKOUT / "plugins" / folder).glob("*.py"))
    if path.stem not in ELSEWHERE
]
(VERDICT,) = (path for path in PLUGINS if path.stem == "audit_verdict")


def examples(path) -> list[dict]:
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "EXAMPLES":
            return yaml.safe_load(statement.value.value)
    raise AssertionError(f"{path} has no EXAMPLES")


def play(path, **more) -> dict:
    return {"name": path.stem, "hosts": "all", "become": True, "tasks": examples(path), **more}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The examples write files for this machine here."""
    monkeypatch.chdir(tmp_path)


def test_example_of_audit_verdict_sets_the_result_of_a_host_with_drift(lab, folder):
    """Nothing was applied."""
    played = lab.play([play(VERDICT, gather_facts=False)])
    assert [one["action"] for one in played.results if one["status"] == "failed"] == ["audit_verdict"]


def test_other_examples_run(lab, folder):
    others = [path for path in PLUGINS if path != VERDICT]
    played = lab.play([play(path, gather_facts=path == others[0]) for path in others]).succeeded()
    assert len(played.results) > len(others)
