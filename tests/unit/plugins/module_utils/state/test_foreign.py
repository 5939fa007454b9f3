# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Links in checkouts of hostile agents: the agents gain no rights."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state import foreign
from ansible_collections.nova.agent_host.plugins.module_utils.state.foreign import ForeignLink
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has the rights of others")

AGENT, GROUP = pwd.getpwnam("games")[2:4]  # an account on every Debian and Ubuntu
TARGET = "/opt/nova-agent/bin/cargo_agent.sh"
NAME = "cargo_agent.sh"


class Checkout:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.scripts = root / "scripts"
        self.link = self.scripts / NAME
        root.mkdir()
        self.scripts.mkdir()
        self.give()

    def give(self, uid: int = AGENT) -> None:
        for path in [self.root, *self.root.rglob("*")]:
            os.chown(path, uid, GROUP if uid else 0, follow_symlinks=False)

    def put(self) -> foreign.Result:
        (result,) = foreign.put_links([self.observed()])
        return result

    def observed(self) -> ForeignLink:
        (found,) = foreign.observe([str(self.link)])
        return ForeignLink(str(self.link), TARGET, found.state, found.content, made_folder=not found.folder)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "nova")


def snapshot(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below ``folder`` that can change."""
    states = {}
    for path in [folder, *folder.rglob("*")]:
        found = path.lstat()
        what: object = None
        if path.is_symlink():
            what = os.readlink(path)
        elif stat.S_ISREG(found.st_mode):
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        states[str(path)] = (found.st_mode, found.st_uid, found.st_gid, found.st_ino, what)
    return states


def test_link_belongs_to_the_owner_and_the_original_is_restored(checkout):
    checkout.link.write_text("mine\n")
    checkout.link.chmod(0o750)
    checkout.give()
    original = checkout.observed()
    assert original.content == b"mine\n"
    assert checkout.put().outcome == "changed"
    assert (os.readlink(checkout.link), checkout.link.lstat().st_uid) == (TARGET, AGENT)
    assert checkout.put().outcome == "right"
    (back,) = foreign.take_back([original])
    assert back.outcome == "changed"
    found = checkout.link.lstat()
    assert (checkout.link.read_text(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (
        "mine\n", 0o750, AGENT, GROUP,
    )  # fmt: skip
    assert os.listdir(checkout.scripts) == [NAME]


def test_missing_folder_is_created_with_the_owners_rights_and_removed_again(checkout):
    checkout.scripts.rmdir()
    original = checkout.observed()
    assert original.made_folder
    assert checkout.put().outcome == "changed"
    assert checkout.scripts.stat().st_uid == checkout.link.lstat().st_uid == AGENT
    (back,) = foreign.take_back([original])
    assert (back.outcome, os.listdir(checkout.root)) == ("changed", [])


def test_missing_checkout_is_reported(tmp_path):
    path = str(tmp_path / "none/scripts/cargo_agent.sh")
    (result,) = foreign.put_links([ForeignLink(path, TARGET, ABSENT)])
    assert result.outcome == "left"
    assert f"no folder {tmp_path}/none" in result.why


def create_obstacle(kind: str, place: Path, victim: Path) -> None:
    if kind in ("directory", "root's directory"):
        place.mkdir()
    elif kind in ("file", "root's file", "closed file", "set-id file"):
        place.write_text("mine")
        place.chmod({"closed file": 0, "set-id file": 0o6755}.get(kind, 0o644))
    elif kind == "sparse":
        place.touch()
        os.truncate(place, 1 << 40)
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"/proc/self/fd/{os.open(place.parent, os.O_RDONLY)}/{place.name}")
    elif kind == "link to a folder":
        place.symlink_to(victim)
    elif kind == "link to a file":
        place.symlink_to(victim / "profile.sh")
    elif kind == "link with control characters":
        os.symlink(b"/nowhere/\xff\x1b[31m", place)
    if kind != "absent":
        owner = 0 if kind.startswith("root's") else AGENT
        os.chown(place, owner, owner, follow_symlinks=False)
        if kind == "set-id file":
            place.chmod(0o6755)


@pytest.mark.parametrize("kind", ["directory", "fifo", "socket", "sparse", "root's file", "closed file"])
def test_obstacle_is_reported_and_other_paths_continue(checkout, tmp_path, kind):
    create_obstacle(kind, checkout.link, tmp_path)
    other = Checkout(tmp_path / "other")
    results = foreign.put_links([checkout.observed(), other.observed()])
    assert [result.outcome for result in results] == ["left", "changed"]
    assert str(checkout.link) in results[0].why


@pytest.mark.parametrize("kind", ["file", "fifo", "link to a folder", "root's directory"])
def test_obstacle_at_the_folder_is_reported(checkout, tmp_path, kind):
    checkout.scripts.rmdir()
    create_obstacle(kind, checkout.scripts, tmp_path)
    before = snapshot(tmp_path)
    assert checkout.put().outcome == "left"
    assert snapshot(tmp_path) == before


def test_link_of_root_cannot_be_used_to_get_a_login_of_root(checkout, tmp_path):
    """The agent's file is stored, `scripts` becomes a link of root to a folder of root, and the host is retired."""
    victim = tmp_path / "profile.d"
    victim.mkdir()
    checkout.link.write_text("touch owned\n")
    checkout.give()
    original = checkout.observed()
    assert checkout.put().outcome == "changed"
    checkout.scripts.rename(checkout.root / "aside")
    checkout.scripts.symlink_to(victim)  # a link of root in a folder of the agent is not followed
    before = snapshot(victim)
    (back,) = foreign.take_back([original])
    assert back.outcome == "left"
    assert snapshot(victim) == before
    assert checkout.put().outcome == "left"
    assert snapshot(victim) == before


@pytest.mark.parametrize("call", ["symlink", "rename", "open", "mkdir"])
def test_agent_that_acts_after_each_step_of_root_gains_nothing(checkout, tmp_path, monkeypatch, call):
    """The agent acts at the worst time: it replaces each name with its own link."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / NAME).write_text("root's\n")
    if call == "mkdir":
        checkout.scripts.rmdir()
    observed = checkout.observed()
    before = snapshot(victim)
    real = getattr(os, call)

    def exchange() -> None:
        for folder, target in ((checkout.scripts, victim / NAME), (checkout.root, victim)):
            for place in list(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else ():
                place.rename(tmp_path / f"aside-{time.monotonic_ns()}")
                place.symlink_to(target)
                os.lchown(place, AGENT, AGENT)

    def call_then_attack(*arguments, **named):
        answer = real(*arguments, **named)
        rights = os.geteuid()
        monkeypatch.undo()
        os.seteuid(0)
        exchange()
        os.seteuid(rights)
        return answer

    monkeypatch.setattr(os, call, call_then_attack)
    foreign.put_links([observed])
    monkeypatch.undo()
    assert list(tmp_path.glob("aside-*"))  # the attack ran
    assert snapshot(victim) == before
    assert {item.lstat().st_uid for item in tmp_path.rglob("*") if victim not in (item, item.parent)} == {AGENT}


def owners(root: Path) -> set[int]:
    """Everything below ``root``, by descriptor, because names are swapped at the same time."""
    found = set()
    for _path, folders, files, folder in os.fwalk(root):
        for name in [*folders, *files]:
            with contextlib.suppress(FileNotFoundError):
                found.add(os.lstat(name, dir_fd=folder).st_uid)
    return found


# Waits with inotify for each change in `scripts`, then replaces the changed name with its own
# link, and `scripts` with a link to the victim, and back.
AGENT_PROCESS = f"""
import ctypes, os, struct, sys
os.chdir(sys.argv[1]); os.setgroups([]); os.setgid({GROUP}); os.setuid({AGENT})
libc, swaps, count = ctypes.CDLL(None), 0, int(sys.argv[2])
folder, events = os.open("scripts", os.O_RDONLY), libc.inotify_init1(0)
libc.inotify_add_watch(events, b"scripts", 0x2 | 0x4 | 0x20 | 0x80 | 0x100 | 0x200)
exchange = lambda here, old, new: libc.renameat2(here, old, -100, new, 2)
print("ready", flush=True)
while True:
    data = os.read(events, 4096)
    (length,) = struct.unpack("I", data[12:16])
    if length:
        exchange(folder, data[16:16 + length].rstrip(b"\\0"), b"bait")
    swaps += exchange(-100, b"scripts", b"decoy") == 0
    os.sched_yield()
    exchange(-100, b"scripts", b"decoy")
    os.pwrite(count, struct.pack("I", swaps), 0)
"""


def test_agent_process_that_swaps_paths_at_each_step_gains_nothing(checkout, tmp_path):
    """The test ends after 500 swaps by the agent and 20 links by root, not after a time."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / NAME).write_text("root's\n")
    (checkout.root / "decoy").symlink_to(victim)
    (checkout.root / "bait").symlink_to(victim / NAME)
    checkout.give()
    before, changed = snapshot(victim), 0
    with tempfile.TemporaryFile() as count:
        command = [sys.executable, "-c", AGENT_PROCESS, str(checkout.root), str(count.fileno())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[count.fileno()]) as agent:
            assert agent.stdout and agent.stdout.readline() == b"ready\n"
            try:
                while changed < 20 or struct.unpack("I", os.pread(count.fileno(), 4, 0))[0] < 500:
                    observed = replace(checkout.observed(), made_folder=False)
                    (put,) = foreign.put_links([observed])
                    foreign.take_back([observed])
                    changed += put.outcome == "changed"
                    assert agent.poll() is None
                    assert owners(checkout.root) == {AGENT}
            finally:
                agent.kill()
    assert snapshot(victim) == before


def test_silent_path_fails_alone_after_its_timeout(checkout, tmp_path, monkeypatch):
    other = Checkout(tmp_path / "other")
    real = foreign.observe_in

    def hang(folder, name, content=True):
        if os.readlink(f"/proc/self/fd/{folder}") == str(checkout.scripts):
            time.sleep(3600)
        return real(folder, name, content)

    monkeypatch.setattr(foreign, "observe_in", hang)
    monkeypatch.setattr(foreign, "SILENCE", 0.3)
    found = foreign.observe([str(checkout.link), str(other.link)])
    assert [item.state.kind for item in found] == ["unreadable", "absent"]


def test_edited_or_damaged_original_stays(checkout):
    checkout.link.write_text("mine\n")
    checkout.give()
    original = checkout.observed()
    checkout.put()
    damaged = replace(original, content=b"other\n")
    stolen = replace(original, before=replace(original.before, owner="root"))
    before = snapshot(checkout.root)
    assert [result.outcome for result in foreign.take_back([damaged, stolen])] == ["left", "left"]
    assert snapshot(checkout.root) == before
    checkout.link.unlink()
    checkout.link.write_text("edited\n")
    assert foreign.take_back([original])[0].outcome == "left"
    assert checkout.link.read_text() == "edited\n"


def test_file_changed_after_it_was_stored_stays(checkout):
    checkout.link.write_text("mine\n")
    checkout.give()
    observed = checkout.observed()
    checkout.link.write_text("other\n")
    (result,) = foreign.put_links([observed])
    assert (result.outcome, checkout.link.read_text()) == ("left", "other\n")


def test_folder_that_belongs_to_root_is_reported(tmp_path):
    """No account has the right permissions."""
    checkout = Checkout(tmp_path / "nova")
    checkout.give(0)
    checkout.root.chmod(0o775)
    assert f"may write in {checkout.root}," in checkout.put().why
    checkout.root.chmod(0o755)
    assert checkout.put().outcome == "changed"  # only root can change it


KINDS = st.sampled_from(
    (
        *("absent", "directory", "root's directory", "file", "root's file", "closed file", "set-id file"),
        *("fifo", "socket", "link to a folder", "link to a file", "link with control characters"),
    )
)


@given(st.dictionaries(st.sampled_from(["scripts", f"scripts/{NAME}", f"scripts/.{NAME}.nova-agent-tmp"]), KINDS))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_random_checkouts_change_no_file_outside_and_no_owner(tmp_path_factory, kinds):
    place = tmp_path_factory.mktemp("fuzz")
    victim = place / "victim"
    victim.mkdir()
    (victim / "profile.sh").write_text("root's\n")
    (victim / NAME).write_text("root's\n")
    root = place / "nova"
    root.mkdir()
    os.chown(root, AGENT, AGENT)
    for name, kind in sorted(kinds.items()):
        if (root / name).parent.is_dir() and not (root / name).parent.is_symlink():
            create_obstacle(kind, root / name, victim)
    checkout = Checkout.__new__(Checkout)
    checkout.root, checkout.scripts, checkout.link = root, root / "scripts", root / "scripts" / NAME
    outside = snapshot(victim)
    roots = {path for path in root.rglob("*") if path.lstat().st_uid == 0}
    before = snapshot(root)
    original = checkout.observed()
    result = checkout.put()
    if result.outcome == "left":
        assert snapshot(root) == before
    else:
        assert os.readlink(checkout.link) == TARGET
        foreign.take_back([original])
    assert snapshot(victim) == outside
    assert {path for path in root.rglob("*") if path.lstat().st_uid == 0} <= roots
