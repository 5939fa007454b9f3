# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Reading paths that users can change: they can't redirect root, block it, or fill its memory."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.change import put, remove
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import (
    LARGEST,
    MOST_LINKS,
    group_name,
    observe,
    opened_folder,
    owner_name,
    read,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import (
    ABSENT,
    TOO_LARGE,
    PathState,
    StateError,
)

AGENT = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to somebody else")


def test_file_is_identified_by_the_hash_of_its_content(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * (3 << 20))
    file.chmod(0o640)
    state = observe(str(file))
    assert (state.kind, state.mode, state.sha256) == (
        "file", "0640", hashlib.sha256(b"x" * (3 << 20)).hexdigest(),
    )  # fmt: skip
    assert observe(str(file), content=False).sha256 == ""
    assert read(str(file)) == b"x" * (3 << 20)


def test_endless_file_is_not_read(tmp_path):
    file = tmp_path / "sparse"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)
    assert observe(str(file)).sha256 == TOO_LARGE
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        read(str(file))
    os.truncate(file, LARGEST)
    assert observe(str(file)).sha256 != TOO_LARGE


def test_special_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert observe(str(tmp_path / "fifo")).kind == "special"
    with pytest.raises(OSError, match="no regular file"):
        read(str(tmp_path / "fifo"))
    (tmp_path / "link").symlink_to("fifo")
    assert observe(str(tmp_path / "link")).target == "fifo"
    with pytest.raises(OSError, match="no regular file"):
        read(str(tmp_path / "link"))


@pytest.mark.parametrize("target", ["{0}/a/b", "a/b", "../{1}/a/./b/", "a/../a/b"])
def test_own_link_in_a_path_is_followed(tmp_path, target):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("here\n")
    (tmp_path / "link").symlink_to(target.format(tmp_path, tmp_path.name))
    assert observe(str(tmp_path / "link/file")).sha256 == hashlib.sha256(b"here\n").hexdigest()
    assert read(str(tmp_path / "link/file")) == b"here\n"
    assert observe(str(tmp_path / "link/none")) == observe(str(tmp_path / "a/b/file/below")) == ABSENT


@as_root
def test_foreign_link_in_a_path_is_not_followed(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("secret\n")
    (tmp_path / "scripts").symlink_to("secret")
    os.chown(tmp_path / "scripts", AGENT, AGENT, follow_symlinks=False)
    path = str(tmp_path / "scripts/file")
    found = observe(path)
    assert found.kind == "unreadable" and f"{tmp_path}/scripts" in found.why and str(AGENT) in found.why
    with pytest.raises(StateError) as refused:
        read(path)
    assert str(refused.value) == found.why


@as_root
def test_link_of_root_is_followed_only_in_a_folder_that_only_root_can_change(tmp_path):
    """An agent can move a link of root, or its parent folder, into its own folders."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_text("here\n")
    for owner, mode in ((AGENT, 0o755), (0, 0o775), (0, 0o757), (0, 0o1777)):
        folder = tmp_path / f"{owner}-{mode:o}"
        (folder / "own").mkdir(parents=True)
        for place in (folder, folder / "own"):
            (place / "link").symlink_to(tmp_path / "etc")
        os.chown(folder, owner, owner)
        folder.chmod(mode)
        assert observe(str(folder / "link/file")).kind == "unreadable"
        # Paths below a foreign folder can be replaced with it. In /tmp only root can replace its files.
        assert observe(str(folder / "own/link/file")).kind == ("file" if mode == 0o1777 else "unreadable")


@as_root
def test_root_changes_nothing_in_a_folder_writable_for_others(tmp_path):
    wanted = PathState("link", target="/etc", owner="root", group="root")
    (tmp_path / "agent/own").mkdir(parents=True)
    os.chown(tmp_path / "agent", AGENT, AGENT)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    for name in ("agent/new", "agent/own/new", "shared/new"):
        with pytest.raises(StateError, match="root changes nothing there"):
            put(str(tmp_path / name), wanted, None)
        with pytest.raises(StateError, match="root changes nothing there"):
            remove(str(tmp_path / name))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["agent", "own", "shared"]
    put(str(tmp_path / "new"), wanted, None)
    assert (tmp_path / "new").readlink() == Path("/etc")


def test_content_is_written_only_if_its_hash_matches(tmp_path):
    """Stored and restored originals are also written this way."""
    owner, group = owner_name(os.geteuid()), group_name(os.getegid())
    wanted = PathState("file", "0644", owner, group, hashlib.sha256(b"planned").hexdigest())
    with pytest.raises(StateError, match="sha256"):
        put(str(tmp_path / "file"), wanted, b"other")
    assert list(tmp_path.iterdir()) == []
    put(str(tmp_path / "file"), wanted, b"planned")
    assert (tmp_path / "file").read_bytes() == b"planned"


def test_removed_owner_is_an_error_of_the_path(tmp_path):
    wanted = PathState("file", "0644", "gone-since", "root", "0" * 64)
    with pytest.raises(StateError, match="gone-since:root, which this host does not have"):
        put(str(tmp_path / "file"), wanted, b"")


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.EACCES])
def test_dead_mount_is_unreadable_and_the_look_continues(tmp_path, monkeypatch, number):
    real = os.open

    def dead(path, *arguments, **named):
        if path == "dead":
            raise OSError(number, os.strerror(number), path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", dead)
    for path in (tmp_path / "dead", tmp_path / "dead/file"):
        assert observe(str(path)) == PathState("unreadable", why=f"{path}: {os.strerror(number)}")


DEAD_MOUNT = """
import ctypes, json, os, sys
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
place = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
server = os.open("/dev/fuse", os.O_RDWR)
if libc.mount(b"dead", place.encode(), b"fuse", 0, b"fd=%d,rootmode=40000,user_id=0,group_id=0" % server):
    sys.exit(77)
os.close(server)
print(json.dumps([observe(place).kind, observe(place + "/file").kind]))
"""


@as_root
def test_real_mount_with_a_dead_server_is_unreadable(tmp_path):
    if not shutil.which("unshare") or not os.path.exists("/dev/fuse"):
        pytest.skip("no unshare or no /dev/fuse")
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", DEAD_MOUNT, str(tmp_path)], capture_output=True, text=True, timeout=600
    )
    if done.returncode == 77:
        pytest.skip("this machine lets nobody mount a FUSE file system")
    assert json.loads(done.stdout or "[]") == ["unreadable", "unreadable"], done.stderr


def test_circular_links_end(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)), opened_folder(str(tmp_path / "one")):
        pass
    for number in range(MOST_LINKS):
        (tmp_path / f"link{number}").symlink_to(f"link{number + 1}")
    (tmp_path / f"link{MOST_LINKS}").mkdir()
    with opened_folder(str(tmp_path / "link0")) as folder:
        assert os.fstat(folder).st_ino == (tmp_path / f"link{MOST_LINKS}").stat().st_ino


def test_no_descriptor_is_left_open(tmp_path):
    def descriptors():
        return sorted(os.listdir("/proc/self/fd"))

    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("link")
    before = descriptors()
    for name in ("file", "file/below", "none/below", "link"):
        observe(str(tmp_path / name))
    assert observe(str(tmp_path / "link/below")).kind == "unreadable"
    assert descriptors() == before
