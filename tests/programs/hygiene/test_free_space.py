# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The sweep on a small, full file system: the order of removal, the end, and what stays."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import child_work, places
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import sweep as target_sweep
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import Workspaces
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.space import Mark
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.sweep import Sweep
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.targets import TAG, TAG_BEGINS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import OTHER, OWNER, Lab, give

MIB = 1 << 20
AGENT = pwd.getpwnam(OWNER).pw_uid
THIRD = "backup"  # an account on every Debian and Ubuntu


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    """Workspaces on a tmpfs of 64 MiB and 2,000 inodes."""
    place = home / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=2000,mode=755", "none", place], check=True)
    yield Lab(place)
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(autouse=True)
def at_work(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Accounts of this machine without processes count as working, unless a test changes this."""
    uids = set(range(60000))
    monkeypatch.setattr(target_sweep, "owners", lambda: ((1, uid) for uid in uids))
    return uids


def fill(lab: Lab, **owners: str) -> None:
    """A workspace of 12 MiB for each name, the first one the least recently used."""
    for name, owner in owners.items():
        lab.crate(name, 12 * MIB, owner)
        used = (lab.home / name / "target" / "debug").stat().st_ctime_ns
        while True:  # until the coarse clock of the file system has advanced
            (lab.home / "tick").touch()
            if (lab.home / "tick").stat().st_ctime_ns > used:
                break


def swept(lab: Lab, least: str = "25%", goal: str = "40%", dry_run: bool = False, **changed) -> list[tuple[str, str]]:
    marks = {"free_min": Mark(percent=int(least[:-1])), "free_goal": Mark(percent=int(goal[:-1]))}
    sweep = Sweep(lab.policy(**marks, **changed), dry_run)
    return [(Path(one.path).parent.name, one.outcome) for one in sweep.by_free_space(surveyed=False)]


def test_nothing_is_removed_if_enough_is_free(lab: Lab) -> None:
    fill(lab, a=OWNER, b=OWNER)
    assert swept(lab) == []


def test_least_recently_used_folders_are_removed_until_enough_is_free(lab: Lab) -> None:
    fill(lab, old=OWNER, middle=OTHER, young=THIRD, new=OTHER)  # 48 of 64 MiB
    assert swept(lab, dry_run=True) == [("old", "over")]
    assert len(list(lab.home.glob("*/target"))) == 4
    assert swept(lab) == [("old", "cleaned")]
    assert swept(lab) == []
    assert swept(lab, "50%", "80%") == [("middle", "cleaned"), ("young", "cleaned")]


@pytest.mark.parametrize(("dry_run", "outcome"), [(True, "over"), (False, "cleaned")])
def test_folders_that_were_too_large_count_as_freed(lab: Lab, dry_run: bool, outcome: str) -> None:
    fill(lab, old=OWNER, new=OTHER)
    lab.crate("large", 30 * MIB, THIRD)
    sweep = Sweep(lab.policy(free_min=Mark(percent=25), free_goal=Mark(percent=40)), dry_run)
    assert [one.outcome for one in sweep.survey(20 * MIB)] == [outcome, "kept", "kept"]
    assert list(sweep.by_free_space(surveyed=True)) == []


def test_emptied_folder_is_measured_again_after_the_next_build(lab: Lab) -> None:
    """The folder stays, so its old size is known."""
    folder = lab.tagged("nova/cache", 12 * MIB)
    give(lab.home / "nova", OWNER)
    first = Sweep(lab.policy())
    assert [one.outcome for one in first.survey(MIB)] == ["cleaned"]
    (folder / "debug").mkdir()
    (folder / "debug" / ".cargo-lock").touch()
    (folder / "debug" / "big").write_bytes(b"x" * 50 * MIB)
    give(folder, OWNER)
    marks = {"free_min": Mark(percent=50), "free_goal": Mark(percent=60)}
    again = Sweep(lab.policy(**marks), known=first.kept)
    assert [one.outcome for one in again.by_free_space(surveyed=False)] == ["cleaned"]


def test_folder_of_a_new_build_is_recently_used(lab: Lab) -> None:
    fill(lab, old=OWNER, new=OWNER, last=OTHER, more=THIRD)
    (lab.home / "old" / "target" / "debug" / "deps").mkdir()
    assert swept(lab) == [("new", "cleaned")]


def test_times_of_files_are_ignored(lab: Lab) -> None:
    fill(lab, old=OWNER, new=OTHER, last=THIRD, more=OTHER)
    for folder in [lab.home / "old" / "target", *(lab.home / "old" / "target").rglob("*")]:
        os.utime(folder, (4e9, 4e9))  # also changes the ctime
    for folder in [lab.home / "new" / "target", *(lab.home / "new" / "target").rglob("*")]:
        os.utime(folder, (0, 0))
    assert swept(lab) == [("last", "cleaned")]


def test_folders_of_removed_agents_are_removed_first(lab: Lab, at_work: set[int]) -> None:
    fill(lab, old=OWNER, gone=OTHER, new=OWNER)
    lab.crate("nobody", 12 * MIB)
    subprocess.run(["chown", "-R", "54321:54321", lab.home / "nobody"], check=True)
    # STAND-IN for a removed agent: `daemon` is in no group of agents, and has no process.
    at_work.difference_update({54321, (lab.home / "gone").stat().st_uid})
    assert swept(lab, "50%", "60%") == [("gone", "cleaned"), ("nobody", "cleaned")]


def test_home_of_a_removed_agent_is_known_from_the_last_sweep(lab: Lab, at_work: set[int]) -> None:
    fill(lab, nova=OWNER, other=OWNER)
    first = Sweep(lab.policy())
    list(first.survey(1 << 40))
    at_work.difference_update({AGENT})
    # The home belongs to no member of the group, as after userdel.
    pattern = (Workspaces("~/nova"),)
    marks = {"free_min": Mark(percent=90), "free_goal": Mark(percent=95)}
    known = dict(first.kept)
    again = Sweep(lab.policy(workspaces=pattern, **marks), known=known)
    assert [(Path(one.path).parent.name, one.outcome) for one in again.by_free_space(surveyed=False)] == [
        ("nova", "cleaned")
    ]
    # A folder counts for its new owner.
    fill(lab, mine=OTHER)
    (lab.home / "nova").rename(lab.home / "aside")
    (lab.home / "mine").rename(lab.home / "nova")
    again = Sweep(lab.policy(workspaces=pattern, **marks), known=known)
    assert list(again.by_free_space(surveyed=False)) == []


def test_owner_with_forged_times_keeps_only_a_share(lab: Lab) -> None:
    fill(lab, victim=OTHER, a=OWNER, b=OWNER, c=OWNER)  # the share of each of two owners is 32 MiB
    for name in "abc":
        os.utime(lab.home / name / "target")
    assert swept(lab) == [("a", "cleaned")]
    assert swept(lab, "50%", "70%") == [("victim", "cleaned"), ("b", "cleaned")]


def test_inodes_are_treated_like_bytes(lab: Lab) -> None:
    for name in ("old", "new"):
        many = lab.crate(name, 1) / "target" / "debug" / "many"
        many.mkdir()
        for number in range(800):
            (many / str(number)).touch()
        give(many, OWNER)
    assert swept(lab, "30%", "50%") == [("old", "cleaned")]


def test_one_file_system_under_several_patterns_is_swept_once(lab: Lab) -> None:
    fill(lab, old=OWNER, a=OTHER, b=THIRD, c=OTHER)
    patterns = (Workspaces(f"{lab.home}/[a-z]*"), Workspaces(f"{lab.home}/?"), Workspaces(f"{lab.home}/old"))
    assert swept(lab, workspaces=patterns) == [("old", "cleaned")]


@pytest.mark.parametrize("kind", ["subvolumes", "file systems"])
def test_file_systems_that_share_their_space_are_swept_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """STAND-IN for subvolumes of btrfs and file systems of ZFS: overlays on one tmpfs."""
    if kind == "subvolumes":
        monkeypatch.setattr(places, "mount_of", lambda _folder: str(lab.home))
    homes = [lab.home / name for name in ("a", "b", "c")]
    for home in homes:
        folders = [lab.home / f".{home.name}-{part}" for part in ("lower", "upper", "work")]
        for folder in (home, *folders):
            folder.mkdir()
        options = ",".join(f"{name}={folder}" for name, folder in zip(("lowerdir", "upperdir", "workdir"), folders))
        subprocess.run(["mount", "-t", "overlay", "-o", options, "none", home], check=True)
        Lab(home).crate(size=16 * MIB)
    try:
        found = swept(lab, "30%", "40%", workspaces=(Workspaces(f"{lab.home}/[abc]/*", ()),))
    finally:
        for home in homes:
            subprocess.run(["umount", home], check=True)
    assert [outcome for _name, outcome in found] == ["cleaned"]


def test_folder_in_use_is_skipped(lab: Lab) -> None:
    fill(lab, old=OWNER, middle=OWNER, young=OTHER, new=THIRD)
    with open(lab.home / "old" / "target" / "debug" / ".cargo-lock") as build:
        fcntl.flock(build, fcntl.LOCK_EX)
        assert swept(lab) == [("old", "skipped"), ("middle", "cleaned")]


def test_endless_folder_of_an_owner_does_not_affect_others(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(lab, old=OWNER, older=OWNER, young=OTHER, new=THIRD)
    remove, owner = child_work.remove_target, (lab.home / "old").stat().st_uid

    def endless(target: int, parent: int, name: str) -> str:
        if os.fstat(target).st_uid == owner:
            time.sleep(3600)
        return remove(target, parent, name)

    monkeypatch.setattr(child_work, "remove_target", endless)
    monkeypatch.setattr(target_sweep, "OWNER_SECONDS", 5)
    assert swept(lab) == [("old", "failed"), ("older", "skipped"), ("young", "cleaned")]


def test_sizes_are_counted_in_disk_blocks(lab: Lab) -> None:
    """Blocks after the end of a file, which are not in its size; and a size without blocks."""
    workspace = lab.crate("hidden", 1)
    subprocess.run(["fallocate", "--keep-size", "-l", "40M", workspace / "target" / "debug" / "big"], check=True)
    sparse = lab.crate("sparse", 1, OTHER)
    os.truncate(sparse / "target" / "debug" / "big", 1 << 40)
    sweep = Sweep(lab.policy(free_min=Mark(percent=50), free_goal=Mark(percent=60)))
    (one,) = sweep.by_free_space(surveyed=False)
    assert (Path(one.path).parent.name, one.outcome) == ("hidden", "cleaned")
    assert sweep.kept[str(sparse / "target")].on_disk < MIB


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below ``folder`` that can change. Names may be invalid UTF-8."""
    states = {}
    for path in [folder, *folder.rglob("*")]:
        found = path.lstat()
        what: object = os.readlink(path) if path.is_symlink() else None
        if stat.S_ISREG(found.st_mode) and found.st_size < MIB:
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        states[str(path)] = (found.st_mode, found.st_uid, found.st_gid, found.st_ino, found.st_nlink, what)
    return states


def create(kind: str, place: Path, victim: Path) -> None:
    """A file that an agent can create, or that root created in a workspace by mistake."""
    if kind == "target folder":
        (place / "debug" / "deps").mkdir(parents=True)
        (place / "debug" / ".cargo-lock").touch()
        (place / "debug" / "deps" / "file").write_bytes(b"x" * 4096)
        (place / TAG).write_bytes(TAG_BEGINS)
    elif kind in ("folder", "root's folder", "sticky folder"):
        place.mkdir(mode=0o755)
        (place / "file").write_text("x")
    elif kind == "file":
        place.write_text("x")
    elif kind == "tag":
        place.write_bytes(TAG_BEGINS)
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "link":
        place.symlink_to(victim)
    elif kind == "link to a tag":
        place.symlink_to(victim / TAG)
    elif kind == "hard link":
        os.link(victim / "debug" / "open", place)
    elif kind == "loop":
        place.symlink_to(".")
    if kind == "sticky folder":
        place.chmod(0o1777)
    if kind not in ("root's folder", "hard link"):
        chown_all(place, AGENT)


def chown_all(place: Path, uid: int) -> None:
    for path in [place, *(place.rglob("*") if not place.is_symlink() else ())]:
        os.chown(path, uid, uid, follow_symlinks=False)


KINDS = (
    *("target folder", "folder", "root's folder", "sticky folder", "file", "tag", "fifo", "link", "link to a tag"),
    *("hard link", "loop"),
)
PARENTS = (".", "target", "target/debug", "target/debug/deps", "fuzz")
NAMES = ("target", "fuzz", "Cargo.toml", TAG, ".cargo-lock", ".rustc_info.json", "debug", "caf\udce9", "a\nb")


@given(
    st.lists(st.tuples(st.sampled_from(PARENTS), st.sampled_from(NAMES), st.sampled_from(KINDS)), max_size=8),
    st.sampled_from(PARENTS),
    st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sweep_of_random_workspaces_changes_no_file_outside_and_none_of_root(
    lab: Lab, entries, roots_place, first
) -> None:
    folder = Path(tempfile.mkdtemp(dir=lab.home))
    folder.chmod(0o755)
    try:
        # Folders beside the workspace that look like target folders, of root and of another agent. All may change one file of each.
        for name, owner in (("victim", "root"), ("other", OTHER)):
            create("target folder", folder / name, folder)
            (folder / name / "debug" / "open").write_text("x")
            chown_all(folder / name, pwd.getpwnam(owner).pw_uid)
            (folder / name / "debug" / "open").chmod(0o666)
        workspace = folder / "nova"
        workspace.mkdir()
        if first:
            create("target folder", workspace / "target", folder / "victim")
        for parent, name, kind in entries:
            place = workspace / parent / name
            if (
                place.parent.is_dir()
                and not place.is_symlink()
                and not place.exists()
                and inside(place.parent, workspace)
            ):
                create(kind, place, folder / ("victim" if first else "other"))
        for name in ("of-root", "link"):  # always, at paths that a removal reads
            if inside(workspace / roots_place, workspace):
                create(
                    "root's folder" if name == "of-root" else "link", workspace / roots_place / name, folder / "victim"
                )
        os.chown(workspace, AGENT, AGENT)
        outside = {name: snapshot(folder / name) for name in ("victim", "other")}
        roots = [path for path in workspace.rglob("*") if path.lstat().st_uid == 0 and path.lstat().st_nlink == 1]
        policy = lab.policy(
            workspaces=(Workspaces(f"{workspace}"),), free_min=Mark(percent=98), free_goal=Mark(percent=99)
        )
        ballast = lab.home / "ballast"
        ballast.write_bytes(b"x" * (4 * MIB))
        results = list(Sweep(policy).by_free_space(surveyed=False))
        assert {name: without_link_counts(states) for name, states in outside.items()} == {
            name: without_link_counts(snapshot(folder / name)) for name in outside
        }
        assert [path for path in roots if not path.exists() and not path.is_symlink()] == []
        assert all(Path(swept.path).is_relative_to(workspace) for swept in results)
    finally:
        shutil.rmtree(folder)


def without_link_counts(states: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """The states without the numbers of hard links, because an agent may remove a hard link of its own."""
    return {path: (*one[:4], one[5]) for path, one in states.items()}


def inside(place: Path, workspace: Path) -> bool:
    return (
        place.is_dir()
        and place.resolve().is_relative_to(workspace.resolve())
        and not any(folder.is_symlink() for folder in (place, *place.parents))
    )
