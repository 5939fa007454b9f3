# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The real rustup installs FIXTURE toolchains: the files on the disk, and the next look at them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.lock import locked
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import StateError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import apply as toolchain_apply
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import forbid
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import FetchError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.generation import Generation, InstallError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import TRIPLES, Request
from mirror_server import Server
from rustup_wheel import CHECKSUMS
from trees import NOBODY, Tree

TRIPLE = TRIPLES[os.uname().machine]

PARTS: dict[str, Any] = {"components": ["clippy", "rustfmt"]}


def test_requested_toolchain_is_installed(tree: Tree) -> None:
    outcome = tree.apply(**PARTS, targets=["wasm32-unknown-unknown"])
    assert outcome.changed
    assert outcome.installed == ["toolchain 1.92.0 (profile minimal, clippy, rustfmt, target wasm32-unknown-unknown)"]
    assert tree.rustc() == "1.92.0"
    settings = (tree.path / "rustup/settings.toml").read_text()
    assert 'auto_self_update = "disable"' in settings
    assert 'auto_install = "disable"' in settings
    found = tree.observe()
    assert (found.present, found.problems, found.in_use) == (True, [], [])
    wanted = tree.options(**PARTS, targets=["wasm32-unknown-unknown"])
    assert json.loads(found.request) == Request.from_options(wanted).to_dict()
    assert sorted(path.name for path in tree.path.iterdir()) == ["bin", "env", "receipt.json", "rustup"]


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_modes_and_owners_do_not_depend_on_the_umask_or_the_folder(tree: Tree, umask: int) -> None:
    os.chown(tree.path.parent, -1, NOBODY)
    tree.path.parent.chmod(0o2755)  # new files in it get its group
    mask = os.umask(umask)
    try:
        tree.apply(**PARTS)
    finally:
        os.umask(mask)
    for path in [tree.generations, tree.path.resolve(), *tree.path.resolve().rglob("*")]:
        found = path.lstat()
        assert (found.st_uid, found.st_gid) == (0, 0), path
        if stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and "bin" in path.parts):
            assert stat.S_IMODE(found.st_mode) == 0o755, path
        elif stat.S_ISREG(found.st_mode):
            assert stat.S_IMODE(found.st_mode) == 0o644, path


def test_intact_toolchain_is_not_changed_and_nothing_is_downloaded(tree: Tree, server: Server) -> None:
    tree.apply(**PARTS)
    generation = os.readlink(tree.path)
    server.requests.clear()
    outcome = tree.apply(**PARTS)
    assert (outcome.changed, outcome.repaired, outcome.diff) == (False, [], None)
    assert (server.requests, os.readlink(tree.path)) == ([], generation)


def test_wrong_checksum_names_both_and_leaves_nothing(tree: Tree) -> None:
    wrong = {"x86_64": "0" * 64, "aarch64": "0" * 64}
    with pytest.raises(FetchError) as error:
        tree.apply(rustup_checksums=wrong)
    assert "0" * 64 in str(error.value)
    assert any(right in str(error.value) for right in CHECKSUMS.values())
    assert f"{tree.url}/rustup/archive/1.29.0/" in str(error.value)
    assert "agent_toolchain_update_root" in str(error.value)
    assert list(tree.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        (f"rustup/archive/1.29.0/{TRIPLE}/rustup-init", "rustup-init 1.29.0 can't be downloaded: {file}: No such file or directory (option update_root, agent_toolchain_update_root of the role)"),
        ("dist/channel-rust-1.92.0.toml", "the manifest of 1.92.0 can't be downloaded: {file}: No such file or directory (option dist_server, agent_toolchain_dist_server of the role)"),
        ("dist/*/rustc-1.92.0-*", "toolchain 1.92.0 can't be installed from {url} (option dist_server, agent_toolchain_dist_server of the role): "),
    ],
)  # fmt: skip
def test_failed_download_names_file_server_and_variable(
    tree: Tree, mirror: Path, folder: Path, missing: str, what: str
) -> None:
    copy = folder / "mirror"
    shutil.copytree(mirror, copy)
    before, tree.url = list(folder.iterdir()), f"file://{copy}"
    for path in copy.glob(missing):
        path.unlink()
    with pytest.raises((FetchError, InstallError)) as error:
        tree.apply()
    message = str(error.value)
    assert message.startswith(what.format(url=tree.url, file=f"{tree.url}/{missing}"))
    assert "\n" not in message
    assert list(folder.iterdir()) == before


def test_server_that_is_not_reached_is_named_with_what_to_set(tree: Tree) -> None:
    tree.url = "http://127.0.0.1:1"
    with pytest.raises(FetchError) as error:
        tree.apply()
    message = str(error.value)
    assert tree.url in message and "Connection refused" in message and "\n" not in message
    assert "agent_toolchain_dist_server" in message and "https_proxy in agent_toolchain_environment" in message


def test_wrong_checksum_keeps_the_old_toolchain(tree: Tree) -> None:
    tree.apply()
    with pytest.raises(FetchError):
        tree.apply("1.93.0", rustup_checksums={"x86_64": "0" * 64, "aarch64": "0" * 64})
    assert tree.rustc() == "1.92.0"
    assert tree.observe().problems == []


def test_manifest_with_another_checksum_installs_nothing(tree: Tree, server: Server, mirror: Path) -> None:
    """As an attacker in the network can send one, with a matching checksum file."""
    sums = dict(tree.sums)
    tree.sums["1.92.0"] = sums["1.93.0"]
    with pytest.raises(FetchError, match=f"sha256 is {sums['1.92.0']}, but .* says {sums['1.93.0']}"):
        tree.apply()
    assert list(tree.path.parent.iterdir()) == []
    assert [path for path in server.requests if path.endswith((".zst", ".gz"))] == []


def test_rustup_gets_the_verified_manifest(tree: Tree, server: Server) -> None:
    tree.apply()
    requested = [path for path in server.requests if "channel-rust" in path]
    assert requested == ["/dist/channel-rust-1.92.0.toml"]  # by the module, and not again by rustup
    assert [path for path in server.requests if path.endswith((".zst", ".gz"))]


def test_toolchain_of_another_checksum_is_reinstalled(tree: Tree, server: Server) -> None:
    sums, tree.sums = tree.sums, {}
    tree.apply("1.92.0", extra=[{"channel": "1.93.0"}])
    tree.sums = {"1.92.0": sums["1.92.0"]}
    server.requests.clear()
    assert tree.apply("1.92.0", extra=[{"channel": "1.93.0"}]).changed
    assert [path for path in server.requests if "rustc-1.92.0" in path]
    assert not [path for path in server.requests if "1.93.0" in path]
    assert not tree.apply("1.92.0", extra=[{"channel": "1.93.0"}]).changed


@pytest.mark.parametrize("may_mount", [True, False])  # in most containers root may not mount
def test_downloaded_programs_are_checked_without_root_rights(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, may_mount: bool
) -> None:
    if not may_mount:
        monkeypatch.setattr(forbid, "_mount_noexec", lambda place: False)
    outputs = []
    check = Generation._check

    def recorded(self: Generation, *words: str) -> str:
        outputs.append(check(self, *words))
        return outputs[-1]

    monkeypatch.setattr(Generation, "_check", recorded)
    tree.apply()
    assert "uid: 65534" in outputs[0]
    assert list(tree.path.resolve().rglob("*.run-by-rustup")) == []  # rustup would run it as root
    assert tree.observe().problems == []


def test_mirror_folder_writable_for_others_needs_a_checksum(tree: Tree, mirror: Path, folder: Path) -> None:
    copy = folder / "mirror"
    shutil.copytree(mirror, copy)
    os.chown(copy, NOBODY, NOBODY)
    sums, tree.url, tree.sums = tree.sums, f"file://{copy}", {}
    with pytest.raises(InstallError, match="channel_checksums has no sha256 for 1.92.0"):
        tree.apply()
    assert not tree.path.exists()
    tree.sums = sums
    assert tree.apply().changed


def test_tree_of_a_killed_switch_can_be_removed(tree: Tree) -> None:
    tree.apply()
    (tree.generations / "abc.link").symlink_to(".toolchain/abc")
    assert toolchain_apply.remove(str(tree.path), 30).changed
    assert list(tree.path.parent.iterdir()) == []


def test_tree_from_an_archive_is_intact(tree: Tree) -> None:
    """tar and image layers keep whole seconds."""
    tree.apply(**PARTS)
    for path in tree.path.resolve().rglob("*"):
        seconds = int(path.lstat().st_mtime)
        os.utime(path, (seconds, seconds), follow_symlinks=False)
    assert tree.observe().problems == []
    receipt = tree.path.resolve() / "receipt.json"
    older = json.loads(receipt.read_text())
    for path, line in older["files"].items():
        if line.startswith("file "):
            older["files"][path] = f"{line}{'123456789'}"  # nanoseconds, as in old records
    receipt.write_text(json.dumps(older))
    assert tree.observe().problems == []


def test_version_missing_on_the_mirror_is_named(tree: Tree) -> None:
    with pytest.raises(InstallError, match=rf"^{tree.url} \(.*\) has no toolchain 1.40.0 for .*-linux-gnu: "):
        tree.apply("1.40.0")
    assert list(tree.path.parent.iterdir()) == []


def test_component_missing_in_the_channel_is_named(tree: Tree) -> None:
    with pytest.raises(InstallError, match="rust-src") as error:
        tree.apply(components=["rust-src"])
    assert tree.url in str(error.value) and "agent_toolchain_dist_server" in str(error.value)
    assert "\n" not in str(error.value)


def truncate(path: Path) -> None:
    os.truncate(path, 100)


def edit(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"#")
    os.utime(path, (1, 1))  # in another second


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/bin/true")


DAMAGES: list[tuple[str, str, Callable[[Path], None], str]] = [
    ("deleted rustup", "bin/rustup", os.unlink, "bin/rustup: is missing"),
    ("truncated rustup", "bin/rustup", truncate, "bin/rustup: size 100, not 20838840"),
    ("deleted proxy", "bin/cargo", os.unlink, "bin/cargo: is missing"),
    ("deleted rustc", "{sysroot}/bin/rustc", os.unlink, "bin/rustc: is missing"),
    ("edited rustc", "{sysroot}/bin/rustc", edit, "bin/rustc: changed since the installation"),
    ("missing component", "{sysroot}/bin/rustfmt", os.unlink, "bin/rustfmt: is missing"),
    ("missing library", "{sysroot}/lib", shutil.rmtree, "/lib: is missing"),
    ("wrong mode", "{sysroot}/bin/cargo", lambda path: os.chmod(path, 0o777), "bin/cargo: mode 0777, not 0755"),
    ("wrong owner", "{sysroot}/bin/cargo", lambda path: os.chown(path, 65534, 0), "bin/cargo: owner 65534:0, not 0:0"),
    ("open folder", "{sysroot}/bin", lambda path: os.chmod(path, 0o777), "/bin: mode 0777, not 0755"),
    ("link", "{sysroot}/bin/cargo", link, "bin/cargo: is a link, not a file"),
    ("foreign file", "{sysroot}/bin/x", Path.touch, "bin/x: does not belong here"),
    ("changed setting", "rustup/settings.toml", edit, "settings.toml: changed since the installation"),
    ("broken receipt", "receipt.json", truncate, "receipt.json: can't be read (JSONDecodeError)"),
    ("missing receipt", "receipt.json", os.unlink, "receipt.json: can't be read (No such file or directory)"),
]


@pytest.mark.parametrize(
    ("where", "damage", "named"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES]
)
def test_damage_is_named_and_repaired(tree: Tree, where: str, damage: Callable[[Path], None], named: str) -> None:
    tree.apply(**PARTS)
    damage(tree.path.resolve() / where.format(sysroot=tree.sysroot().relative_to(tree.path)))
    problems = tree.observe().problems
    assert len(problems) == 1
    assert named in problems[0]
    outcome = tree.apply(**PARTS)
    assert outcome.repaired == problems
    assert tree.observe().problems == []
    assert tree.rustc() == "1.92.0"
    assert len(list(tree.generations.iterdir())) == 2  # the lock and the one in place


def test_repair_downloads_only_the_damaged_part(tree: Tree, server: Server) -> None:
    tree.apply("1.92.0", extra=[{"channel": "1.93.0"}])
    (tree.sysroot("1.93.0") / "bin/cargo").unlink()
    server.requests.clear()
    tree.apply("1.92.0", extra=[{"channel": "1.93.0"}])
    assert server.requests
    assert not [path for path in server.requests if "1.92.0" in path or "rustup-init" in path]


def test_moved_pin_keeps_or_removes_the_old_toolchain(tree: Tree) -> None:
    tree.apply("1.92.0")
    outcome = tree.apply("1.93.0")
    assert (tree.rustc(), outcome.removed) == ("1.93.0", [])
    assert [entry.channel for entry in tree.observe().toolchains] == ["1.93.0", "1.92.0"]
    assert tree.apply("1.93.0").changed is False
    outcome = tree.apply("1.93.0", purge=True)
    assert outcome.removed == ["toolchain 1.92.0 (profile minimal)"]
    folders = (tree.path / "rustup/toolchains").iterdir()
    assert [path.name[:6] for path in folders if not path.is_symlink()] == ["1.93.0"]


def test_running_programs_keep_their_generation(tree: Tree) -> None:
    tree.apply("1.92.0")
    old = tree.path.resolve()
    with subprocess.Popen([tree.sysroot() / "bin/cargo", "sleep", "600"], stdout=subprocess.PIPE) as build:
        try:
            wait_for_exec(build, "cargo-sleep")
            assert tree.apply("1.93.0", purge=True).in_use == [str(old)]
            assert (old / "bin/rustup").exists()
            found = tree.observe()
            assert (found.in_use, found.problems) == ([str(old)], [])
        finally:
            build.send_signal(signal.SIGKILL)
    assert tree.observe().problems == [f"{old}: left by an earlier or interrupted run"]
    assert tree.apply("1.93.0", purge=True).repaired == [f"{old}: left by an earlier or interrupted run"]
    assert not old.exists()


def wait_for_exec(process: subprocess.Popen[bytes], name: str) -> None:
    while not os.readlink(f"/proc/{process.pid}/exe").endswith(name):
        assert process.poll() is None


def test_two_runs_at_once_wait_for_each_other(tree: Tree, server: Server) -> None:
    runs = [tree.start(), tree.start()]
    messages = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sorted(json.loads(line)["changed"] for line in messages) == [False, True]
    assert len([path for path in server.requests if "rustup-init" in path]) == 1
    assert tree.observe().problems == []


def test_waiting_for_the_lock_has_a_timeout(tree: Tree) -> None:
    tree.apply()
    with locked(str(tree.generations / "lock"), keep=True), pytest.raises(StateError) as error:
        toolchain_apply.remove(str(tree.path), 0)
    assert str(tree.generations / "lock") in str(error.value) and f"process {os.getpid()}" in str(error.value)
    assert "lock_timeout" in str(error.value)
    assert stat.S_IMODE((tree.generations / "lock").stat().st_mode) == 0o600


def test_absent_removes_only_the_toolchain(tree: Tree) -> None:
    tree.apply()
    tree.apply("1.93.0")
    (tree.path.parent / "other").write_text("not ours")
    assert toolchain_apply.remove(str(tree.path), 30).changed
    assert [path.name for path in tree.path.parent.iterdir()] == ["other"]
    assert toolchain_apply.remove(str(tree.path), 30).changed is False


def test_folder_writable_for_others_gets_no_toolchain(tree: Tree) -> None:
    tree.path.parent.chmod(0o777)
    with pytest.raises(StateError, match="root changes nothing there"):
        tree.apply()
    tree.path.parent.chmod(0o755)
    assert list(tree.path.parent.iterdir()) == []


def test_existing_folder_at_the_path_is_not_replaced_and_check_mode_says_so(tree: Tree) -> None:
    tree.path.mkdir()
    (tree.path / "mine").write_text("")
    for act in (tree.preview, tree.apply):
        with pytest.raises(InstallError) as error:
            act()
        assert str(error.value).startswith(f"{tree.path} is not a link of this collection")
    assert [path.name for path in tree.path.iterdir()] == ["mine"]
    assert "move it away" in tree.observe().problems[0]


def test_file_in_the_place_of_the_generations_is_not_changed_and_check_mode_says_so(tree: Tree) -> None:
    tree.generations.touch(0o600)
    for act in (tree.preview, tree.apply):
        with pytest.raises(InstallError) as error:
            act()
        assert str(error.value) == f"{tree.generations} is no folder: move it away"
    assert stat.S_IMODE(tree.generations.stat().st_mode) == 0o600
