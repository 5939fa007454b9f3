# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The module in this process, as Ansible runs it on a host, with a separate manifest."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.nova.agent_host.plugins.module_utils.observed.answers import Installed
from ansible_collections.nova.agent_host.plugins.module_utils.observed.decode import decode
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.modules import rustup_toolchain
from mirror_server import Server
from repackage import channel_checksums
from rustup_wheel import CHECKSUMS, VERSION


@pytest.fixture
def run(folder: Path, server: Server, mirror: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(check_mode: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "path": f"{folder}/prefix/toolchain",
            "channel": "1.92.0",
            "rustup_version": VERSION,
            "rustup_checksums": CHECKSUMS,
            "channel_checksums": channel_checksums(mirror),
            "dist_server": server.url,
            "update_root": f"{server.url}/rustup",
            "manifest": f"{folder}/state/manifest.json",
            "_ansible_check_mode": check_mode,
            "_ansible_diff": True,
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            rustup_toolchain.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        if "failed" not in result:
            decode(Installed, {name: value for name, value in result.items() if name != "invocation"})
        return result

    return call


def trees(folder: Path) -> list[str]:
    return list(Manifest.load(f"{folder}/state/manifest.json").role("agent_toolchain").trees)


def test_present_and_absent_again(run: Any, folder: Path) -> None:
    assert run()["changed"] is True
    assert trees(folder) == [f"{folder}/prefix/toolchain"]
    assert run()["changed"] is False
    assert run(state="absent", check_mode=True)["removed"] == ["toolchain 1.92.0 (profile minimal)"]
    assert run(state="absent")["changed"] is True
    assert run(state="absent")["changed"] is False
    assert list(folder.iterdir()) == []


def test_existing_folders_stay(run: Any, folder: Path) -> None:
    (folder / "prefix").mkdir()
    run()
    run(state="absent")
    assert [path.name for path in folder.iterdir()] == ["prefix"]


def test_check_mode_changes_and_downloads_nothing(run: Any, folder: Path, server: Server) -> None:
    result = run(check_mode=True, components=["clippy"])
    assert result["changed"] is True
    assert result["installed"] == ["toolchain 1.92.0 (profile minimal, clippy)"]
    assert (result["diff"]["before"], result["diff"]["after"]) == (
        "",
        "rustup 1.29.0\ntoolchain 1.92.0 (profile minimal, clippy)\n",
    )
    assert (list(folder.iterdir()), server.requests) == ([], [])


def test_wrong_checksum_leaves_no_files(run: Any, folder: Path) -> None:
    result = run(rustup_checksums={"x86_64": "0" * 64, "aarch64": "0" * 64})
    assert result["failed"] is True
    assert f"but rustup_checksums.{os.uname().machine} says {'0' * 64}: the file was not used" in result["msg"]
    assert list(folder.iterdir()) == []


def test_changed_prefix_moves_the_toolchain(run: Any, folder: Path) -> None:
    run()
    moved = f"{folder}/other/deeper/toolchain"
    assert run(path=moved, check_mode=True)["removed"] == [f"the tree {folder}/prefix/toolchain"]
    result = run(path=moved)
    assert (result["changed"], result["removed"]) == (True, [f"the tree {folder}/prefix/toolchain"])
    assert trees(folder) == [moved]
    assert sorted(path.name for path in folder.iterdir()) == ["other", "state"]


def test_changed_prefix_while_a_program_runs(run: Any, folder: Path) -> None:
    run()
    program = next((folder / "prefix/toolchain/rustup/toolchains").glob("*/bin/cargo-sleep")).resolve()
    old = str(program).split("/rustup/")[0]
    moved = f"{folder}/other/toolchain"
    with subprocess.Popen([program, "600"]) as build:
        try:
            result = run(path=moved)
            assert (result["in_use"], result["changed"]) == ([old], True)
            assert program.exists()
            assert run(path=moved)["changed"] is False
            assert trees(folder) == [f"{folder}/prefix/toolchain", moved]
        finally:
            build.kill()
    assert run(path=moved)["changed"] is True
    assert trees(folder) == [moved]
    assert not (folder / "prefix").exists()


def test_check_mode_reports_a_move_like_the_run(run: Any, folder: Path) -> None:
    """The link of the old tree is already removed, and no program runs there."""
    run()
    moved = f"{folder}/other/toolchain"
    run(path=moved)
    record = f"{folder}/state/manifest.json"
    manifest = Manifest.load(record)
    manifest.role("agent_toolchain").trees.append(f"{folder}/gone/toolchain")
    manifest.save(record)
    assert run(path=moved, check_mode=True)["changed"] is True
    assert run(path=moved)["changed"] is True
    assert run(path=moved, check_mode=True)["changed"] is False


def test_http_without_a_checksum_is_refused_in_check_mode(run: Any, folder: Path, server: Server) -> None:
    for check_mode in (True, False):
        result = run(channel_checksums={}, check_mode=check_mode)
        assert "channel_checksums has no sha256 for 1.92.0" in result["msg"]
    assert (server.requests, list(folder.iterdir())) == ([], [])


def test_network_settings_are_passed_on_and_not_shown(
    run: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that does not answer, so no request reaches the network."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    secret = "http://me:s3cret-word@127.0.0.1:9"
    result = run(environment={"http_proxy": secret, "RUSTUP_MAX_RETRIES": "1"})
    assert result["failed"] is True
    assert server.requests == []
    assert "s3cret-word" not in json.dumps(result)
    assert "1.29.0" in result["msg"]  # the text 1 is not a secret
    assert "RUSTUP_HOME" in run(environment={"RUSTUP_HOME": "/x"})["msg"]


def test_foreign_link_in_the_path_is_a_one_line_error(run: Any, folder: Path) -> None:
    run()
    (folder / "prefix").rename(folder / "real")
    (folder / "prefix").symlink_to("real")
    os.chown(folder / "prefix", 54321, 54321, follow_symlinks=False)
    os.chown(folder, 54321, 54321)
    result = run()
    assert result["failed"] is True
    assert "Traceback" not in result["msg"] and "\n" not in result["msg"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"dist_server": "https://me:secret@mirror.example"}, "dist_server has a user name or password"),
        ({"path": "/toolchain"}, "path is '/toolchain'"),
        ({"path": "/opt/../x/y"}, "path is '/opt/../x/y'"),
        ({"channel": "1.92.0; id"}, "channel is '1.92.0; id'"),
    ],
)
def test_wrong_options_of_the_module_are_refused(run: Any, folder: Path, options: dict[str, Any], shown: str) -> None:
    result = run(**options)
    assert result["msg"].startswith(shown)
    assert "secret" not in result["msg"]
    assert list(folder.iterdir()) == []
