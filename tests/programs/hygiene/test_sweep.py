# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What is swept, through the real wrapper and the real cargo, and what never is."""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import clean as target_clean
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import measure as target_measure
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.sweep import sweep
from wrappers.host import eventually, program

from .conftest import OTHER, OWNER, Lab, give


def du(folder: Path) -> int:
    return int(subprocess.run(["du", "-sb", folder], check=True, capture_output=True, text=True).stdout.split()[0])


def only(results):
    (result,) = results
    return result


def test_a_folder_that_is_too_large_is_cleaned_and_nothing_beside_it(real: Lab) -> None:
    workspace = real.crate()
    size = du(workspace / "target")
    swept = only(real.sweep())
    assert (swept.outcome, swept.owner, swept.size, swept.freed) == ("cleaned", OWNER, size, size), swept
    assert sorted(path.name for path in workspace.iterdir()) == ["Cargo.toml", "src"]


def test_a_folder_at_the_limit_is_too_large_and_one_below_is_kept(real: Lab) -> None:
    size = du(real.crate() / "target")
    assert only(real.sweep(limit=size + 1)).outcome == "kept"
    assert only(real.sweep(limit=size)).outcome == "cleaned"


def test_a_dry_run_tells_and_keeps(real: Lab) -> None:
    workspace = real.crate()
    swept = only(real.sweep(dry_run=True))
    assert (swept.outcome, swept.freed) == ("over", 0)
    assert (workspace / "target" / "debug" / "big").exists()


def test_a_build_is_not_disturbed_and_the_next_sweep_cleans(real: Lab) -> None:
    workspace = real.crate()
    with open(workspace / "target" / "debug" / ".cargo-lock") as build:
        fcntl.flock(build, fcntl.LOCK_EX)
        swept = only(real.sweep())
        assert (swept.outcome, swept.reason) == ("skipped", "a build is running: debug/.cargo-lock is locked")
        assert (workspace / "target" / "debug" / "big").exists()
    assert only(real.sweep()).outcome == "cleaned"


def test_a_build_that_starts_during_the_clean_waits_and_then_succeeds(real: Lab) -> None:
    workspace = real.crate()
    subprocess.run(["rm", "-r", workspace / "target"], check=True)
    build = [real.wrapper, "build", "--quiet"]
    who = {"user": OWNER, "group": pwd.getpwnam(OWNER).pw_gid, "extra_groups": []}
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "CARGO_HOME": str(workspace / "home")}
    subprocess.run(build, check=True, cwd=workspace, env=environment, **who)
    (workspace / "src" / "lib.rs").write_text("pub fn changed() {}")
    lock = (workspace / "target" / "debug" / ".cargo-lock").stat().st_ino
    slow = program(
        real.home.parent / "slow.sh",
        f'#!/bin/sh\ntouch {workspace}/begun\nread line <{workspace}/go\nexec {real.wrapper} "$@"\n',
    )
    os.mkfifo(workspace / "go")
    give(workspace, OWNER)
    pid = os.fork()
    if pid == 0:  # the sweep
        os._exit(0 if only(Lab(real.home, slow).sweep()).outcome == "cleaned" else 1)
    eventually((workspace / "begun").exists)
    building = subprocess.Popen(build, cwd=workspace, env=environment, stderr=subprocess.PIPE, text=True, **who)
    eventually(lambda: waited_for(lock))
    (workspace / "go").write_text("\n")
    assert os.waitpid(pid, 0)[1] == 0
    assert building.wait() == 0, building.stderr.read()
    assert list((workspace / "target" / "debug").glob("libdemo.rlib"))


def waited_for(inode: int) -> bool:
    """Whether a process waits for a lock on the file: the kernel marks it with an arrow."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any(line.split()[1] == "->" and f":{inode} " in line for line in lines)


def test_cargo_s_words_are_told_where_it_fails(real: Lab) -> None:
    workspace = real.crate()
    (workspace / "Cargo.toml").write_text("[package\n")
    swept = only(real.sweep())
    assert (swept.outcome, swept.freed) == ("failed", 0)
    assert swept.reason.startswith("cargo clean ended with status 101: error: ")
    assert (workspace / "target").exists()


def test_what_cargo_could_not_remove_is_not_counted(real: Lab) -> None:
    """As a build by sudo leaves it: a folder of root's in the agent's."""
    workspace = real.crate()
    (workspace / "target" / "aaa").mkdir()
    (workspace / "target" / "aaa" / "of-root").write_bytes(b"x" * 5000)
    before = du(workspace / "target")
    swept = only(real.sweep())
    assert swept.outcome == "failed"
    assert "Permission denied" in swept.reason
    assert swept.freed == before - du(workspace / "target")


def test_no_configuration_of_the_workspace_is_read(real: Lab) -> None:
    workspace = real.crate()
    evil = program(real.home / "evil", f"#!/bin/sh\ntouch {workspace}/ran\n")
    (workspace / ".cargo").mkdir()
    (workspace / ".cargo" / "config.toml").write_text(
        f'[build]\nrustc = "{evil}"\nrustc-wrapper = "{evil}"\ntarget-dir = "src"\n[alias]\nclean = "{evil}"\n'
    )
    (workspace / "rust-toolchain.toml").write_text('[toolchain]\nchannel = "1.0.0"\n')
    give(workspace, OWNER)
    swept = only(real.sweep())
    assert swept.outcome == "cleaned", swept
    assert not (workspace / "ran").exists()
    assert (workspace / "src" / "lib.rs").exists()


def test_members_and_features_of_a_real_workspace_are_no_obstacle(real: Lab) -> None:
    workspace = real.crate()
    (workspace / "Cargo.toml").write_text(
        '[workspace]\nmembers = ["crates/*"]\nresolver = "2"\n[workspace.package]\nedition = "2021"\n'
    )
    for name in ("a", "b"):
        (workspace / "crates" / name / "src").mkdir(parents=True)
        (workspace / "crates" / name / "src" / "lib.rs").touch()
        (workspace / "crates" / name / "Cargo.toml").write_text(
            f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition.workspace = true\n'
        )
    give(workspace, OWNER)
    assert only(real.sweep()).outcome == "cleaned"


# ---- the rest needs no cargo: a STAND-IN removes the folder ----


def test_the_owner_alone_runs_it_in_a_clean_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("CARGO_BUILD_RUSTC", "/bin/false")
    lab.crate()
    assert only(lab.sweep()).outcome == "cleaned"
    account = pwd.getpwnam(OWNER)
    uid, groups, folder, arguments, *environment = lab.home.with_suffix(".called").read_text().splitlines()
    assert (int(uid), folder) == (account.pw_uid, "/")
    assert set(map(int, groups.split())) == {*os.getgrouplist(OWNER, account.pw_gid), account.pw_gid}
    assert arguments.startswith("clean --locked --manifest-path /proc/self/fd/")
    names = {line.partition("=")[0] for line in environment}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "CARGO_TARGET_DIR",
        "CARGO_HOME",
    }


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


def of_nobody_known(workspace: Path) -> None:
    subprocess.run(["chown", "-R", "54321:54321", workspace], check=True)


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
    ("spoil", "reason"),
    [
        (as_link, "it is a symbolic link"),
        (without_manifest, "there is no Cargo.toml beside it"),
        (with_link_to_manifest, "the Cargo.toml beside it is no plain file"),
        (of_root, "it belongs to root: name root in the users of the workspace"),
        (of_two, "it, its workspace and Cargo.toml belong to different accounts"),
        (of_nobody_known, "it belongs to uid 54321, which is no account"),
        (writable_for_all, "anybody may write in its workspace: chmod o-w"),
        (too_deep, "it has folders in each other more than 128 deep"),
    ],
)
def test_what_is_never_removed(lab: Lab, spoil, reason: str) -> None:
    workspace = lab.crate()
    spoil(workspace)
    swept = only(lab.sweep())
    assert (swept.outcome, swept.reason, swept.freed) == ("skipped", reason, 0)
    assert (workspace / "target" / "debug" / "big").exists()


def test_root_s_own_folder_is_swept_where_root_is_named(lab: Lab) -> None:
    lab.crate(owner="root")
    assert only(lab.sweep("root")).outcome == "cleaned"


def test_only_the_named_users_are_swept(lab: Lab) -> None:
    lab.crate("one", owner=OWNER)
    lab.crate("two", owner=OTHER)
    assert [(swept.outcome, swept.reason) for swept in lab.sweep(OTHER)] == [
        ("skipped", f"it belongs to {OWNER}, and is swept for {OTHER} only"),
        ("cleaned", ""),
    ]


@pytest.mark.parametrize("where", ["target", "target/debug/inner"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_other_file_systems_and_mounts_are_left_alone(lab: Lab, where: str, kind: str) -> None:
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


def test_a_link_on_the_way_to_a_workspace_is_not_followed_and_told(lab: Lab) -> None:
    workspace = lab.crate("a")
    workspace.rename(lab.home.parent / f"{lab.home.name}.away")
    (lab.home / "a").symlink_to(lab.home.parent / f"{lab.home.name}.away")
    swept = only(lab.sweep())
    assert swept.reason.startswith(f"{lab.home}/a is a symbolic link to ")
    assert swept.reason.endswith(", and links are not followed: write the path without it")


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


def test_a_folder_swapped_for_a_link_during_the_walk_leads_nowhere(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = lab.crate()
    (workspace / "src" / "huge").write_bytes(b"x" * 100_000)
    real_open = os.open

    def swap_first(path, flags, *arguments, **options):
        if path == "debug":
            (workspace / "target" / "debug").rename(workspace / "target" / "was")
            (workspace / "target" / "debug").symlink_to(workspace / "src")
            monkeypatch.setattr(target_measure.os, "open", real_open)
        return real_open(path, flags, *arguments, **options)

    monkeypatch.setattr(target_measure.os, "open", swap_first)
    swept = only(lab.sweep())
    assert (swept.outcome, swept.freed) == ("skipped", 0) or swept.size < 100_000
    assert (workspace / "src" / "huge").exists()


def test_a_lock_that_is_a_fifo_or_a_link_holds_nobody_up(lab: Lab) -> None:
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
def test_hostile_names_stay_on_one_line(lab: Lab, name: str) -> None:
    workspace = lab.crate(name)
    (workspace / "target" / name).write_text("x")
    give(workspace, OWNER)
    line = only(lab.sweep()).line(1024)
    assert line.isprintable() and line.isascii(), line
    assert ": cleaned, freed " in line or "; cleaned, freed " in line
    assert not (workspace / "target").exists()


@pytest.mark.parametrize("fails", [False, True])
def test_each_folder_is_read_once(lab: Lab, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    workspace = lab.crate()
    for number in range(40):
        (workspace / "target" / "debug" / f"d{number}").mkdir()
    give(workspace, OWNER)
    if fails:
        lab.wrapper = Path("/bin/false")
    read = []
    scan, list_ = os.scandir, os.listdir
    monkeypatch.setattr(target_measure.os, "scandir", lambda folder: read.append(folder) or scan(folder))
    monkeypatch.setattr(os, "listdir", lambda folder: read.append(folder) or list_(folder))
    assert only(lab.sweep()).outcome == ("failed" if fails else "cleaned")
    folders = 1 + 1 + 40  # target, debug and those in it
    assert len(read) == 1 + folders + fails  # the pattern's star; and after a failure what is left at the top


def test_one_folder_named_twice_is_swept_once(lab: Lab) -> None:
    lab.crate()
    policy = lab.policy()
    assert len(list(sweep(replace(policy, workspaces=policy.workspaces * 2), 1024, dry_run=True))) == 1


def test_a_clean_that_hangs_is_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_clean, "CLEAN_SECONDS", 0.2)
    lab.crate()
    lab.wrapper = program(lab.home.parent / "hangs", "#!/bin/sh\nsleep 1000 & wait\n")
    swept = only(lab.sweep())
    assert (swept.outcome, swept.reason) == ("failed", "cargo clean did not end in 0.2 s and was killed")


def test_without_a_wrapper_it_says_what_to_do_and_removes_nothing(lab: Lab) -> None:
    workspace = lab.crate()
    lab.wrapper = Path("/opt/no/cargo_agent.sh")
    swept = only(lab.sweep())
    assert (swept.outcome, swept.reason) == (
        "failed",
        "/opt/no/cargo_agent.sh: No such file or directory; apply role agent_wrappers",
    )
    assert (workspace / "target").exists()
