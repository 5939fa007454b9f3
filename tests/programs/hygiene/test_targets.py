# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Which folders are target folders: those that cargo creates with any setting, and no similar ones."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import targets
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.targets import TAG, TAG_BEGINS

from .conftest import OTHER, OWNER, Lab, give


def outcomes(lab: Lab, limit: int = 1024) -> dict[str, str]:
    return {os.path.relpath(swept.path, lab.home): swept.outcome for swept in lab.sweep(limit=limit)}


@pytest.mark.parametrize(
    ("environment", "folders"),
    [
        ({}, ["target"]),
        ({"CARGO_TARGET_DIR": "out/mine"}, ["out/mine"]),
        ({"CARGO_BUILD_BUILD_DIR": ".build"}, [".build", "target"]),
        ({"CARGO_BUILD_BUILD_DIR": "{cargo-cache-home}/build/{workspace-path-hash}"}, ["home/build/", "target"]),
    ],
)
def test_folders_of_the_real_cargo_are_found_emptied_and_found_again(
    lab: Lab, cargo_agent: Path, environment: dict[str, str], folders: list[str]
) -> None:
    workspace = lab.crate()
    shutil.rmtree(workspace / "target")
    give(workspace, OWNER)
    real = cargo_agent.parents[1]
    cargo = next(real.rglob("toolchains/*/bin/cargo"))
    settings = {"PATH": f"{cargo.parent}:/usr/bin:/bin", "HOME": "/nonexistent", "CARGO_HOME": str(workspace / "home")}
    user = {"user": OWNER, "group": pwd.getpwnam(OWNER).pw_gid, "extra_groups": []}
    for source in ("", "pub fn changed() {}"):
        (workspace / "src" / "lib.rs").write_text(source)
        subprocess.run([cargo, "build", "--quiet"], check=True, cwd=workspace, env={**settings, **environment}, **user)
        found = outcomes(lab, limit=1)
        assert len(found) == len(folders), found
        for (path, outcome), expected in zip(sorted(found.items()), folders):
            assert path.startswith(f"nova/{expected}") and outcome == "cleaned"
        assert sum(len(files) for folder, _inner, files in os.walk(workspace) if "debug" in folder) == 0


def test_fuzz_and_other_folders_of_a_workspace_are_found(lab: Lab) -> None:
    workspace = lab.crate()
    fuzz = workspace / "crates" / "parser" / "fuzz"
    (fuzz / "target" / "debug").mkdir(parents=True)
    (fuzz / "Cargo.toml").touch()
    (fuzz / "target" / "debug" / "big").write_bytes(b"x" * 2048)
    give(workspace, OWNER)
    lab.tagged("nova/.build")
    lab.tagged("shared")  # a pattern can select the target folder itself
    assert outcomes(lab) == dict.fromkeys(
        ["nova/target", "nova/crates/parser/fuzz/target", "nova/.build", "shared"], "cleaned"
    )
    assert not (workspace / "target").exists() and not (fuzz / "target").exists()
    # Cargo creates its tag only with the folder.
    assert [os.listdir(lab.home / name) for name in ("nova/.build", "shared")] == [[TAG]] * 2
    assert outcomes(lab) == {}


def folder_of_another(folder: Path) -> None:
    give(folder, OTHER)


def tag_of_another(folder: Path) -> None:
    give(folder / TAG, OTHER)


def tag_as_link(folder: Path) -> None:
    (folder / TAG).rename(folder.parent / "tag")
    (folder / TAG).symlink_to("../tag")


def tag_as_fifo(folder: Path) -> None:
    (folder / TAG).unlink()
    os.mkfifo(folder / TAG)
    give(folder, OWNER)


def tag_with_other_content(folder: Path) -> None:
    (folder / TAG).write_bytes(TAG_BEGINS.replace(b"cargo", b"kargo"))


def sources(folder: Path) -> None:
    (folder / "Cargo.toml").touch()


def registry(folder: Path) -> None:
    """Cargo also tags the folders of its registry."""
    (folder / "debug" / ".cargo-lock").unlink()


def open_to_all(folder: Path) -> None:
    folder.chmod(0o777)


@pytest.mark.parametrize(
    "change",
    [
        folder_of_another,
        tag_of_another,
        tag_as_link,
        tag_as_fifo,
        tag_with_other_content,
        sources,
        registry,
        open_to_all,
    ],
)
def test_folders_other_than_target_folders_of_the_owner_stay(lab: Lab, change) -> None:
    lab.crate("nova")
    folder = lab.tagged("nova/out")
    change(folder)
    assert [outcome for outcome in outcomes(lab).values() if outcome == "cleaned"] == ["cleaned"]
    assert (folder / "debug" / "big").exists()


def test_folder_with_a_running_program_is_kept(lab: Lab) -> None:
    """As a test does: cargo has no lock while tests run."""
    folder = lab.tagged("nova/out")
    give(lab.home / "nova", OWNER)
    program = folder / "debug" / "tests"
    shutil.copy("/usr/bin/cat", program)
    running = subprocess.Popen([program], stdin=subprocess.PIPE, user=OWNER, group=pwd.getpwnam(OWNER).pw_gid)
    (swept,) = lab.sweep()
    assert (swept.outcome, str(running.pid) in swept.reason) == ("skipped", True)
    running.communicate()
    (swept,) = lab.sweep()
    assert swept.outcome == "cleaned"


def test_endless_search_is_reported_and_does_not_affect_others(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "MOST_FOLDERS", 50)
    lab.crate("a")
    for number in range(100):
        (lab.home / "a" / f"d{number:03}").mkdir()
    give(lab.home / "a", OWNER)
    lab.crate("b", owner=OTHER)
    assert outcomes(lab) == {"a/target": "cleaned", "a": "skipped", "b/target": "cleaned"}


def test_folders_of_a_uid_without_a_name_are_swept_with_its_rights(lab: Lab) -> None:
    workspace = lab.crate()
    subprocess.run(["chown", "-R", "54321:54321", workspace], check=True)
    (workspace / "target" / "roots").mkdir()
    (workspace / "target" / "roots" / "file").touch()
    (swept,) = lab.sweep()
    assert (swept.outcome, swept.owner, swept.reason) == ("failed", "uid 54321", "roots/file: Permission denied")
    assert os.listdir(workspace / "target") == ["roots"]
