# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Looking at paths in which users have a hand: nobody leads root elsewhere, holds it up or fills its memory."""

from __future__ import annotations

import errno
import hashlib
import os

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import (
    LARGEST,
    MOST_LINKS,
    observe,
    opened_folder,
    read,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, TOO_LARGE, StateError

AGENT = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to somebody else")


def test_a_file_is_told_by_the_hash_of_what_it_holds(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * (3 << 20))
    file.chmod(0o640)
    state = observe(str(file))
    assert (state["kind"], state["mode"], state["sha256"]) == (
        "file", "0640", hashlib.sha256(b"x" * (3 << 20)).hexdigest(),
    )  # fmt: skip
    assert "sha256" not in observe(str(file), content=False)
    assert read(str(file)) == b"x" * (3 << 20)


def test_a_file_without_end_is_not_read(tmp_path):
    file = tmp_path / "sparse"
    with file.open("wb") as opened:
        opened.truncate(1 << 40)
    assert observe(str(file))["sha256"] == TOO_LARGE
    with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        read(str(file))
    os.truncate(file, LARGEST)
    assert observe(str(file))["sha256"] != TOO_LARGE


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert observe(str(tmp_path / "fifo"))["kind"] == "special"
    with pytest.raises(OSError, match="no regular file"):
        read(str(tmp_path / "fifo"))
    (tmp_path / "link").symlink_to("fifo")
    assert observe(str(tmp_path / "link"))["target"] == "fifo"
    with pytest.raises(OSError, match="no regular file"):
        read(str(tmp_path / "link"))


@pytest.mark.parametrize("target", ["{0}/a/b", "a/b", "../{1}/a/./b/", "a/../a/b"])
def test_a_link_of_ones_own_is_followed_on_the_way(tmp_path, target):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("here\n")
    (tmp_path / "link").symlink_to(target.format(tmp_path, tmp_path.name))
    assert observe(str(tmp_path / "link/file"))["sha256"] == hashlib.sha256(b"here\n").hexdigest()
    assert read(str(tmp_path / "link/file")) == b"here\n"
    assert observe(str(tmp_path / "link/none")) == observe(str(tmp_path / "a/b/file/below")) == ABSENT


@as_root
def test_a_link_of_somebody_else_is_not_followed_on_the_way(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").write_text("secret\n")
    (tmp_path / "scripts").symlink_to("secret")
    os.chown(tmp_path / "scripts", AGENT, AGENT, follow_symlinks=False)
    path = str(tmp_path / "scripts/file")
    said = f"{tmp_path}/scripts: scripts is a link of uid {AGENT} and is not followed: name the real path"
    assert observe(path) == {"kind": "unreadable", "why": said}
    with pytest.raises(StateError) as refused:
        read(path)
    assert str(refused.value) == said


def test_links_in_a_circle_end(tmp_path):
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
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        observe(str(tmp_path / "link/below"))
    assert descriptors() == before
