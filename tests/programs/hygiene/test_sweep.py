# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Which folders the sweep cleans, also during a build with the real cargo, and which it never cleans."""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import child_work
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import measure as target_measure
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import sweep as target_sweep
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.sweep import Sweep
from wrappers.host import eventually

from .conftest import OTHER, OWNER, Lab, give


def du(folder: Path) -> int:
    return int(subprocess.run(["du", "-sb", folder], check=True, capture_output=True, text=True).stdout.split()[0])


def only(results):
    (result,) = results
    return result


def test_large_folder_is_cleaned_and_its_siblings_stay(lab: Lab) -> None:
    workspace = lab.crate()
    size = du(workspace / "target")
    swept = only(lab.sweep())
    assert (swept.outcome, swept.owner, swept.size, swept.freed) == ("cleaned", OWNER, size, size), swept
    assert sorted(path.name for path in workspace.iterdir()) == ["Cargo.toml", "src"]


def test_folder_at_the_limit_is_cleaned_and_a_smaller_one_is_kept(lab: Lab) -> None:
    size = du(lab.crate() / "target")
    assert only(lab.sweep(limit=size + 1)).outcome == "kept"
    assert only(lab.sweep(limit=size)).outcome == "cleaned"


def test_dry_run_reports_and_removes_nothing(lab: Lab) -> None:
    workspace = lab.crate()
    swept = only(lab.sweep(dry_run=True))
    assert (swept.outcome, swept.freed) == ("over", 0)
    assert (workspace / "target" / "debug" / "big").exists()


def test_running_build_is_skipped_and_cleaned_by_the_next_sweep(lab: Lab) -> None:
    workspace = lab.crate()
    with open(workspace / "target" / "debug" / ".cargo-lock") as build:
        fcntl.flock(build, fcntl.LOCK_EX)
        swept = only(lab.sweep())
        assert (swept.outcome, swept.reason) == ("skipped", "a build is running: debug/.cargo-lock is locked")
        assert (workspace / "target" / "debug" / "big").exists()
    assert only(lab.sweep()).outcome == "cleaned"


def test_build_started_during_the_sweep_waits_and_succeeds(
    lab: Lab, cargo_agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = lab.crate()
    subprocess.run(["rm", "-r", workspace / "target"], check=True)
    build = [cargo_agent, "build", "--quiet"]
    user = {"user": OWNER, "group": pwd.getpwnam(OWNER).pw_gid, "extra_groups": []}
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "CARGO_HOME": str(workspace / "home")}
    subprocess.run(build, check=True, cwd=workspace, env=environment, **user)
    (workspace / "src" / "lib.rs").write_text("pub fn changed() {}")
    lock = (workspace / "target" / "debug" / ".cargo-lock").stat().st_ino
    os.mkfifo(workspace / "go")
    give(workspace, OWNER)
    remove = child_work.remove_target

    def slow(*folders: object) -> str:
        (workspace / "begun").touch()
        (workspace / "go").read_text()
        return remove(*folders)

    monkeypatch.setattr(child_work, "remove_target", slow)
    pid = os.fork()
    if pid == 0:  # the sweep
        os._exit(0 if only(lab.sweep()).outcome == "cleaned" else 1)
    eventually((workspace / "begun").exists)
    building = subprocess.Popen(build, cwd=workspace, env=environment, stderr=subprocess.PIPE, text=True, **user)
    eventually(lambda: waited_for(lock))
    (workspace / "go").write_text("\n")
    assert os.waitpid(pid, 0)[1] == 0
    assert building.wait() == 0, building.stderr.read()
    assert list((workspace / "target" / "debug").glob("libdemo.rlib"))


def waited_for(inode: int) -> bool:
    """Whether a process waits for a lock on the file. The kernel marks such a process with an arrow."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any(line.split()[1] == "->" and f":{inode} " in line for line in lines)


def test_workspace_that_cargo_cannot_load_is_swept(lab: Lab) -> None:
    workspace = lab.crate()
    (workspace / "Cargo.toml").write_text("<<<<<<< HEAD\n[package\n")
    assert only(lab.sweep()).outcome == "cleaned"
    assert not (workspace / "target").exists()


def test_files_that_the_owner_cannot_remove_stay_and_are_not_counted(lab: Lab) -> None:
    """A folder of root in the agent's folder, as after a build with sudo."""
    workspace = lab.crate()
    (workspace / "target" / "aaa").mkdir()
    (workspace / "target" / "aaa" / "of-root").write_bytes(b"x" * 5000)
    before = du(workspace / "target")
    swept = only(lab.sweep())
    assert (swept.outcome, swept.reason) == ("failed", "aaa/of-root: Permission denied")
    assert swept.freed == before - du(workspace / "target")
    assert not (workspace / "target" / "debug").exists()


def test_owner_cannot_stop_the_sweep(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = lab.crate()
    uid = pwd.getpwnam(OWNER).pw_uid
    measure = child_work.measure

    def attacked(folder: int) -> target_measure.Measure:
        """A process with all user ids of the owner tries to stop the sweep."""
        sweeper, attacker = os.getpid(), os.fork()
        if attacker == 0:
            os.setresuid(uid, uid, uid)
            try:
                os.kill(sweeper, signal.SIGSTOP)
            except PermissionError:
                os._exit(42)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(attacker, 0)[1]) == 42
        return measure(folder)

    monkeypatch.setattr(child_work, "measure", attacked)
    assert only(lab.sweep()).outcome == "cleaned"
    assert not (workspace / "target").exists()


def test_endless_folder_uses_only_the_time_of_its_owner(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, owner in (("a", OWNER), ("b", OWNER), ("c", OTHER)):
        lab.crate(name, owner=owner)
    remove = child_work.remove_target

    def endless(target: int, parent: int, name: str) -> str:
        if os.fstat(target).st_uid == pwd.getpwnam(OWNER).pw_uid:
            time.sleep(3600)
        return remove(target, parent, name)

    monkeypatch.setattr(child_work, "remove_target", endless)
    monkeypatch.setattr(target_sweep, "OWNER_SECONDS", 5)
    swept = list(lab.sweep())
    assert [(folder.outcome, folder.owner) for folder in swept] == [
        ("failed", OWNER), ("skipped", OWNER), ("cleaned", OTHER),
    ]  # fmt: skip
    assert "took more than 5 s" in swept[1].reason
    assert swept[0].size > 2048


def as_link(workspace: Path) -> None:
    (workspace / "target").rename(workspace / "elsewhere")
    (workspace / "target").symlink_to("elsewhere")


def without_manifest(workspace: Path) -> None:
    (workspace / "Cargo.toml").unlink()


def with_link_to_manifest(workspace: Path) -> None:
    (workspace / "Cargo.toml").rename(workspace / "Other.toml")
    (workspace / "Cargo.toml").symlink_to("Other.toml")


def of_root(workspace: Path) -> None:
    give(workspace, "root")


def of_two(workspace: Path) -> None:
    give(workspace / "target", OTHER)


def writable_for_all(workspace: Path) -> None:
    workspace.chmod(0o777)


def too_deep(workspace: Path) -> None:
    folder = os.open(workspace / "target", os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    give(workspace, OWNER)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (as_link, "link"),
        (without_manifest, "Cargo.toml"),
        (with_link_to_manifest, "Cargo.toml"),
        (of_root, "root"),
        (of_two, "different accounts"),
        (writable_for_all, "chmod o-w"),
        (too_deep, "128"),
    ],
)
def test_protected_folders_are_never_removed(lab: Lab, change, shown: str) -> None:
    workspace = lab.crate()
    change(workspace)
    swept = only(lab.sweep())
    assert (swept.outcome, swept.freed) == ("skipped", 0) and shown in swept.reason
    assert (workspace / "target" / "debug" / "big").exists()


def test_folder_of_root_is_swept_only_if_root_is_listed(lab: Lab) -> None:
    lab.crate(owner="root")
    assert only(lab.sweep("root")).outcome == "cleaned"


def test_only_listed_users_are_swept(lab: Lab) -> None:
    lab.crate("one", owner=OWNER)
    lab.crate("two", owner=OTHER)
    first, second = lab.sweep(OTHER)
    assert first.outcome == "skipped" and OWNER in first.reason and OTHER in first.reason
    assert (second.outcome, second.reason) == ("cleaned", "")


@pytest.mark.parametrize("where", ["target", "target/debug/inner"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_folders_with_mounts_are_not_changed(lab: Lab, where: str, kind: str) -> None:
    workspace = lab.crate()
    (workspace / "precious").mkdir()
    (workspace / "precious" / "file").write_bytes(b"x" * 4096)
    point = workspace / where
    point.mkdir(exist_ok=True)
    give(workspace, OWNER)
    what = ["-t", "tmpfs", "none"] if kind == "tmpfs" else ["--bind", workspace / "precious"]
    subprocess.run(["mount", *what, point], check=True)
    try:
        if kind == "tmpfs":
            (point / "file").write_bytes(b"x" * 4096)
            give(point, OWNER)
        swept = only(lab.sweep())
        assert swept.outcome == "skipped", swept
        assert swept.reason in (f"{point} is a mount point", "it is on another file system than its workspace")
        assert (point / "file").exists()
    finally:
        subprocess.run(["umount", point], check=True)
    assert (workspace / "precious" / "file").exists() or kind == "tmpfs"


def test_link_in_the_path_to_a_workspace_is_not_followed_and_reported(lab: Lab) -> None:
    workspace = lab.crate("a")
    workspace.rename(lab.home.parent / f"{lab.home.name}.away")
    (lab.home / "a").symlink_to(lab.home.parent / f"{lab.home.name}.away")
    swept = only(lab.sweep())
    assert swept.reason.startswith(f"{lab.home}/a is a symbolic link to ")


def test_links_and_hard_links_inside_are_counted_once_and_not_followed(lab: Lab) -> None:
    workspace = lab.crate()
    target = workspace / "target"
    outside = workspace / "src" / "huge"
    outside.write_bytes(b"x" * 100_000)
    (target / "to-file").symlink_to(outside)
    (target / "to-folder").symlink_to(workspace / "src")
    (target / "loop").symlink_to(".")
    os.link(target / "debug" / "big", target / "debug" / "again")
    give(workspace, OWNER)
    size = du(target)
    swept = only(lab.sweep())
    assert (swept.size, swept.freed) == (size, size)
    assert outside.exists()


@pytest.mark.parametrize("during", [1, 2])
def test_folder_replaced_by_a_link_during_a_walk_is_not_followed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, during: int
) -> None:
    """During measuring and during removal."""
    workspace = lab.crate()
    (workspace / "src" / "huge").write_bytes(b"x" * 100_000)
    real_open = os.open
    opened = []

    def swap_first(path, flags, *arguments, **options):
        if path == "debug":
            opened.append(path)
        if path == "debug" and len(opened) == during:
            (workspace / "target" / "debug").rename(workspace / "target" / "was")
            (workspace / "target" / "debug").symlink_to(workspace / "src")
            (workspace / "replaced").touch()
        return real_open(path, flags, *arguments, **options)

    monkeypatch.setattr(target_measure.os, "open", swap_first)
    lab.sweep()
    assert (workspace / "replaced").exists() and (workspace / "src" / "huge").exists()


def test_lock_file_that_is_a_fifo_or_a_link_does_not_block(lab: Lab) -> None:
    workspace = lab.crate()
    lock = workspace / "target" / "debug" / ".cargo-lock"
    lock.unlink()
    os.mkfifo(lock)
    (workspace / "target" / ".cargo-lock").symlink_to("/etc/passwd")
    give(workspace, OWNER)
    assert only(lab.sweep()).outcome == "cleaned"


@pytest.mark.parametrize(
    "name", ["two\nlines", "esc\x1b[2J", b"\xff\xfe".decode("utf-8", "surrogateescape"), "*", "a b'$(id)"]
)
def test_hostile_names_are_printed_on_one_line(lab: Lab, name: str) -> None:
    workspace = lab.crate(name)
    (workspace / "target" / name).write_text("x")
    give(workspace, OWNER)
    line = only(lab.sweep()).line(1024)
    assert line.isprintable() and line.isascii(), line
    assert ": cleaned, freed " in line or "; cleaned, freed " in line
    assert not (workspace / "target").exists()


def test_folder_selected_twice_is_swept_once(lab: Lab) -> None:
    lab.crate()
    policy = lab.policy()
    assert len(list(Sweep(replace(policy, workspaces=policy.workspaces * 2), dry_run=True).survey(1024))) == 1
