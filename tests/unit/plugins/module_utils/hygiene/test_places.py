# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Patterns of workspaces: as in a shell, without following links, and with limits for each place."""

from __future__ import annotations

import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import places
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.places import look
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import Workspaces


@pytest.fixture
def tree(tmp_path):
    for name in ("a/nova", "b/nova", ".hidden/nova", "c", "nova"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("a")
    return tmp_path.resolve()


def found(tree, pattern):
    looks = look(Workspaces(f"{tree}/{pattern}"), "nobody")
    workspaces = [path for one in looks for path in one.workspaces]
    problems = [path for one in looks for path, _why in one.problems]
    return [[os.path.relpath(path, tree) for path in sorted(paths)] for paths in (workspaces, problems)]


@pytest.mark.parametrize(
    ("pattern", "workspaces", "problems"),
    [
        ("*/nova", ["a/nova", "b/nova"], ["link/nova"]),
        ("[ab]/nov?", ["a/nova", "b/nova"], []),
        (".h*/*", [".hidden/nova"], []),
        ("link/*", [], []),
        ("gone/*", [], []),
        ("gone/nova", [], ["gone/nova"]),
        ("a/nova", ["a/nova"], []),
    ],
)
def test_patterns_match_as_in_a_shell_and_follow_no_links(tree, pattern, workspaces, problems):
    assert found(tree, pattern) == [workspaces, problems]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders to others")
def test_endless_names_use_only_the_time_of_their_place(tree, monkeypatch):
    monkeypatch.setattr(places, "MOST_NAMES", 50)
    monkeypatch.setattr(places, "MOST_WORKSPACES", 5)
    for number in range(60):
        (tree / "a" / f"nova{number}").mkdir()
    for number in range(20):
        (tree / "c" / f"nova{number}").mkdir()
    for name in ("a", "b", "c"):
        os.chown(tree / name, 54321, 54321)
    tree.chmod(0o755)
    looks = {os.path.basename(one.place.path): one for one in look(Workspaces(f"{tree}/?/nova*"), "nobody")}
    assert {name: (len(one.workspaces), len(one.problems)) for name, one in looks.items()} == {
        "a": (5, 1), "b": (1, 0), "c": (5, 1),
    }  # fmt: skip


def test_silent_place_is_reported_and_the_others_are_searched(tree, monkeypatch):
    (tree / "z" / "nova").mkdir(parents=True)
    real = places.opened_path

    def hanging(path):
        if path.endswith("/b/nova"):
            import time

            time.sleep(3600)
        return real(path)

    monkeypatch.setattr(places, "opened_path", hanging)
    monkeypatch.setattr(places, "LOOK_SECONDS", 3)
    assert found(tree, "?/nova") == [["a/nova", "z/nova"], ["b/nova"]]
