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


def examples(path) -> list[dict]:
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "EXAMPLES":
            return yaml.safe_load(statement.value.value)
    raise AssertionError(f"{path} has no EXAMPLES")


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_examples_run(lab, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the examples write files for this machine here
    play = {"name": "Examples", "hosts": "all", "become": True, "tasks": examples(path)}
    played = lab.play([play])
    if path.stem == "audit_verdict":  # it sets the result of a host with drift, and nothing was applied
        assert [one["action"] for one in played.results if one["status"] == "failed"] == ["audit_verdict"]
    else:
        played.succeeded()
