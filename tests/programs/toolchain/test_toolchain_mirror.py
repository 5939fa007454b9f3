# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Building a mirror from a FIXTURE of the upstream server, and from an installed toolchain."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import demo_mirror
import fixture_mirror
import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.mirror.build import Built, Mirror
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import fetch as fetch_module
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import FetchError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request
from mirror_server import Server
from repackage import true_version
from rustup_wheel import CHECKSUMS, VERSION
from trees import Tree

MACHINE = fixture_mirror.platform.machine()
DEMO = Path(demo_mirror.__file__)


class Mirroring:
    """Build a mirror from ``server`` in ``root``, and record the messages."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.server = root, server
        self.messages: list[str] = []

    def build(self, check_mode: bool = False, **more: Any) -> Built:
        request = Request.from_options(
            {
                "channel": "1.92.0",
                "components": ["clippy"],
                "rustup_version": VERSION,
                "rustup_checksums": CHECKSUMS,
                **more,
            }
        )
        url = self.server.url
        return Mirror(str(self.root), [MACHINE], self.messages.append, check_mode).build(request, url, f"{url}/rustup")

    @property
    def channels(self) -> list[str]:
        return [path.name for path in self.root.glob("dist/*.toml")]


@pytest.fixture
def mirroring(tmp_path: Path, server: Server) -> Mirroring:
    return Mirroring(tmp_path / "copy", server)


def test_host_installs_from_a_copied_folder(mirroring: Mirroring, folder: Path) -> None:
    built = mirroring.build(extra=[{"channel": "1.93.0", "targets": [fixture_mirror.TARGET]}])
    assert built.toolchains == ["1.92.0", "1.93.0"]
    tree = Tree(folder / "toolchain", f"file://{mirroring.root}")
    tree.apply("1.92.0", components=["clippy"], extra=[{"channel": "1.93.0", "targets": [fixture_mirror.TARGET]}])
    assert tree.rustc() == "1.92.0"


def test_only_requested_files_are_downloaded(mirroring: Mirroring) -> None:
    built = mirroring.build()
    names = [Path(path).name.split("-1.")[0] for path in built.fetched if path.endswith(".zst") or path.endswith(".gz")]
    assert sorted(names) == ["cargo", "clippy", "rust-std", "rustc"]


def test_second_run_downloads_only_manifests(mirroring: Mirroring, server: Server) -> None:
    first = mirroring.build()
    server.requests.clear()
    second = mirroring.build()
    assert second.fetched == []
    assert len(second.kept) == 5
    assert second.size == first.size
    assert [Path(path).name for path in server.requests] == [
        "channel-rust-1.92.0.toml",
        "channel-rust-1.92.0.toml.sha256",
    ]


def test_checksum_of_the_policy_overrides_that_of_the_server(mirroring: Mirroring, server: Server) -> None:
    sums = mirroring.build().channel_checksums
    assert mirroring.build(channel_checksums=sums).fetched == []
    server.requests.clear()
    with pytest.raises(FetchError, match=f"but channel_checksums.1.92.0 says {'0' * 64}$"):
        mirroring.build(channel_checksums={"1.92.0": "0" * 64})
    assert [Path(path).name for path in server.requests] == ["channel-rust-1.92.0.toml"]


def test_interrupted_download_continues_at_the_same_place(mirroring: Mirroring, server: Server) -> None:
    server.trouble, server.at = "close", 2  # in the middle of rustc
    with pytest.raises(FetchError, match="the connection ended before the file was complete$"):
        mirroring.build()
    assert mirroring.channels == []  # no channel is offered before its files exist
    part = next(mirroring.root.rglob("rustc-*.part"))
    half = part.stat().st_size
    server.trouble, server.sent = None, 0
    built = mirroring.build()
    assert built.size - server.sent > half // 2
    assert mirroring.channels == ["channel-rust-1.92.0.toml"]
    assert list(mirroring.root.rglob("*.part")) == []


def test_incomplete_manifest_is_reported_as_an_ended_connection(mirroring: Mirroring, server: Server) -> None:
    server.trouble, server.at = "close", 0
    with pytest.raises(
        FetchError, match="channel-rust-1.92.0.toml: the connection ended before the file was complete$"
    ):
        mirroring.build()


def test_damaged_file_is_downloaded_again(mirroring: Mirroring) -> None:
    mirroring.build()
    damaged = next(mirroring.root.rglob("cargo-*"))
    damaged.write_bytes(b"x")
    assert mirroring.build().fetched == [str(damaged.relative_to(mirroring.root))]


@pytest.mark.parametrize(
    ("number", "named_by"), [(0, "channel-rust-1.92.0.toml.sha256"), (2, "channel-rust-1.92.0.toml")]
)
def test_every_checksum_is_verified(mirroring: Mirroring, server: Server, number: int, named_by: str) -> None:
    server.trouble, server.at = "corrupt", number
    with pytest.raises(FetchError, match=f": its sha256 is [0-9a-f]{{64}}, but .*{named_by} says .{{64}}"):
        mirroring.build()
    assert mirroring.channels == []
    assert list(mirroring.root.rglob("*.part")) == []


@pytest.mark.parametrize("number", [0, 2])
def test_file_without_end_is_refused(
    mirroring: Mirroring, server: Server, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_module, "LARGEST", 4 << 20)
    server.trouble, server.at = "endless", number
    with pytest.raises(FetchError, match=r"it has more than [0-9,]+ bytes"):
        mirroring.build()
    assert list(mirroring.root.rglob("*.part")) == []


def test_installer_must_have_its_pinned_checksum(mirroring: Mirroring) -> None:
    with pytest.raises(FetchError, match=f"but rustup_checksums.{MACHINE} says {'0' * 64}: the file was not used"):
        mirroring.build(rustup_checksums={MACHINE: "0" * 64})


def test_check_mode_reports_and_writes_nothing(mirroring: Mirroring) -> None:
    assert len(mirroring.build(check_mode=True).fetched) == 5
    assert not mirroring.root.exists()


def test_progress_is_reported(mirroring: Mirroring) -> None:
    mirroring.build()
    assert mirroring.messages[0].startswith("1.92.0 1/4 rustc-1.92.0-")
    assert mirroring.messages[-1] == f"rustup-init 1.29.0 {MACHINE}: 20.8 MB, 100 %" or MACHINE != "x86_64"


def test_toolchain_of_this_machine_keeps_its_version(real_mirror: dict[str, Any]) -> None:
    offered = (real_mirror["path"] / f"dist/channel-rust-{real_mirror['channel']}.toml").read_text()
    assert f'version = "{real_mirror["version"]}"' in offered
    assert "1.92.0" not in offered


def test_toolchain_without_a_version_is_not_mirrored(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rustc").write_text("#!/bin/sh\necho rustc\n")
    (tmp_path / "bin/rustc").chmod(0o755)
    with pytest.raises(Exception, match=r"bin/rustc -vV .*'rustc'"):
        true_version(str(tmp_path))


def test_demo_builds_a_mirror_of_the_fixture(tmp_path: Path, installer: Path) -> None:
    """Its label says that it is a FIXTURE."""
    command = [sys.executable, str(DEMO), "--only", "fixture", "--cache", str(tmp_path)]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    assert (result["kind"], result["channel"]) == ("fixture", "1.92.0")
    assert result["label"] == "a FIXTURE of Rust 1.92.0, which compiles nothing"
    assert (Path(result["path"]) / "dist/channel-rust-1.92.0.toml").exists()
