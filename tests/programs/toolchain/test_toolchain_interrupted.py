# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Killed and failed runs: the host keeps the old toolchain, and the next apply corrects and reports the rest."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import FetchError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.generation import InstallError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.state import is_locked
from mirror_server import Server
from trees import Tree

REQUESTS = 5  # rustup-init, a manifest, three components
SAMPLES = 6  # changes to the file system at which a run is killed; NOVA_KILL_ALL=1: all


def kill(tree: Tree, run: subprocess.Popen[str]) -> None:
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    while is_locked(str(tree.generations / "lock")):  # the killed rustup holds it until it has ended
        pass


def check_repaired(tree: Tree, channel: str) -> None:
    """The next apply completes the change, reports the removed leftovers, and leaves no work."""
    leftovers = tree.observe().problems
    outcome = tree.apply(channel)
    assert outcome.repaired == leftovers
    assert tree.rustc() == channel
    assert tree.observe().problems == []
    assert tree.apply(channel).changed is False
    assert len(list(tree.generations.iterdir())) == 2


@pytest.mark.parametrize("request_number", range(REQUESTS))
def test_first_install_killed_in_a_download_is_finished_by_the_next(
    tree: Tree, server: Server, request_number: int
) -> None:
    server.trouble, server.at = "stall", request_number
    run = tree.start("1.92.0")
    assert server.stalled.wait(60)
    kill(tree, run)
    server.trouble = None
    assert tree.observe().present is False
    check_repaired(tree, "1.92.0")


@pytest.mark.parametrize("request_number", range(REQUESTS - 1))
def test_change_killed_in_a_download_is_finished_by_the_next(tree: Tree, server: Server, request_number: int) -> None:
    tree.apply("1.92.0")
    server.requests.clear()
    server.trouble, server.at = "stall", request_number
    run = tree.start("1.93.0")
    assert server.stalled.wait(60)
    during = tree.observe()
    kill(tree, run)
    server.trouble = None
    assert (during.busy, during.problems) == (True, [])  # a run in progress is not damage
    assert tree.rustc() == "1.92.0"
    assert [problem.split(": ")[1] for problem in tree.observe().problems] == ["left by an earlier or interrupted run"]
    check_repaired(tree, "1.93.0")


def test_rustup_of_a_killed_module_keeps_the_lock(tree: Tree, server: Server) -> None:
    server.trouble, server.at = "stall", 4
    run = tree.start("1.92.0")
    assert server.stalled.wait(60)
    run.kill()
    run.wait()
    assert is_locked(str(tree.generations / "lock"))
    server.trouble = None
    following = tree.start("1.92.0")
    server.go_on.set()  # the download of the orphan ends, and then the orphan
    output, _ = following.communicate()
    assert json.loads(output)["repaired"]
    assert (tree.rustc(), tree.observe().problems) == ("1.92.0", [])


def copy(source: Path, target: Path) -> None:
    """Replace the content of a folder by that of another one."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)


def test_run_killed_at_any_change_is_finished_by_the_next(tree: Tree, tmp_path: Path) -> None:
    tree.apply("1.92.0")
    saved = tmp_path / "saved"
    copy(tree.path.parent, saved)
    changes, switch = map(int, tree.start("1.93.0", kill_at="0").communicate()[0].split())
    assert changes > switch > 100
    step = 1 if os.environ.get("NOVA_KILL_ALL") else changes // SAMPLES
    # Samples of all changes, and all changes near the rename of the new generation.
    for number in sorted({*range(1, changes, step), *range(switch - 3, switch + 4), changes}):
        copy(saved, tree.path.parent)
        run = tree.start("1.93.0", kill_at=str(number))
        run.communicate()
        assert run.returncode == -signal.SIGKILL, number
        assert tree.rustc() == ("1.92.0" if number <= switch else "1.93.0"), number
        check_repaired(tree, "1.93.0")


@pytest.mark.parametrize("trouble", ["close", "refuse", "corrupt"])
@pytest.mark.parametrize("request_number", range(REQUESTS))
def test_bad_server_keeps_the_old_toolchain(tree: Tree, server: Server, trouble: str, request_number: int) -> None:
    fresh = Tree(tree.path.with_name("fresh"), tree.url, tree.sums)
    server.trouble, server.at = trouble, request_number
    with pytest.raises((InstallError, FetchError)) as error:
        fresh.apply("1.92.0")
    assert str(error.value)
    assert list(tree.path.parent.iterdir()) == []


def test_unreachable_server_changes_nothing(tree: Tree, server: Server) -> None:
    tree.apply("1.92.0")
    offline = Tree(tree.path, "http://127.0.0.1:9", tree.sums)
    with pytest.raises(FetchError) as error:
        offline.apply("1.93.0")
    assert "http://127.0.0.1:9" in str(error.value) and "agent_toolchain_dist_server" in str(error.value)
    assert tree.rustc() == "1.92.0"
    assert tree.observe().problems == []
    assert offline.apply("1.92.0").changed is False


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A tmpfs with space for one FIXTURE generation, but not for two."""
    disk = folder / "disk"
    disk.mkdir(mode=0o755)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", disk], check=False)
    if done.returncode:
        pytest.skip("a small file system can't be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("free", [1, 10, 21, 42])  # MB: in rustup-init's download, its copy, and the unpacking
def test_full_disk_keeps_the_old_toolchain(small_disk: Path, server: Server, free: int) -> None:
    tree = Tree(small_disk / "toolchain", server.url)
    tree.apply("1.92.0")
    if free < 40:
        os.truncate(tree.path / "bin/rustup", 100)  # otherwise it is hard-linked, which uses no space
    ballast = small_disk / "ballast"
    fill(ballast, shutil.disk_usage(small_disk).free - free * 1_000_000)
    before = tree.sysroot().stat().st_ino
    if free < 40:
        with pytest.raises((InstallError, FetchError, OSError)) as error:
            tree.apply("1.93.0")
        assert "No space left on device" in str(error.value)
        assert tree.sysroot().stat().st_ino == before
        assert len(list(tree.generations.iterdir())) == 2  # the failed run removed its generation
    ballast.unlink()
    tree.apply("1.93.0")
    assert (tree.rustc(), tree.observe().problems) == ("1.93.0", [])


def fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
