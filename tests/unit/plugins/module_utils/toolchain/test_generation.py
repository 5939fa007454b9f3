# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import FetchError, fetch
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.generation import (
    Generation,
    Source,
    _unaltered,
    matches,
    missing_components,
    set_modes,
)
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import UPSTREAM, Toolchain

ARM = "aarch64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("channel", "version", "expected"),
    [
        ("1.92.0", "rustc 1.92.0 (ded5c06cf 2025-12-08)", True),
        ("1.92.0", "rustc 1.95.0 (59807616e 2026-04-14)", False),
        ("1.92.0", "rustc 1.92.01", False),
        ("1.92.0", "rustc 1.92.0-nightly (e50aa6fba 2026-05-19)", False),
        ("1.92", "rustc 1.92.3 (ded5c06cf 2025-12-08)", True),
        ("1.9", "rustc 1.92.0 (ded5c06cf 2025-12-08)", False),
        ("stable", "rustc 1.95.0 (59807616e 2026-04-14)", True),
        ("stable", "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)", False),
        ("nightly-2026-05-19", "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)", True),
        ("beta", "rustc 1.96.0-beta.2 (e50aa6fba 2026-05-19)", True),
        ("1.92.0", "cargo 1.92.0 (344c4567c 2025-10-21)", False),
        ("1.92.0", "", False),
    ],
)
def test_version_of_rustc_is_compared_with_the_channel(channel: str, version: str, expected: bool):
    assert matches(channel, version) is expected


def test_components_missing_on_aarch64_are_named(tmp_path: Path):
    (tmp_path / "lib/rustlib").mkdir(parents=True)
    (tmp_path / "lib/rustlib/components").write_text(
        f"cargo-{ARM}\nclippy-preview-{ARM}\nrust-std-{ARM}\nrust-std-wasm32-unknown-unknown\nrust-src\nrustc-{ARM}\n"
    )

    def missing(*components: str, targets: tuple[str, ...] = ()) -> list[str]:
        return missing_components(str(tmp_path), Toolchain("1.92.0", "minimal", components, targets), ARM)

    assert missing("clippy", "rust-src", targets=("wasm32-unknown-unknown",)) == []
    assert missing("rustfmt", targets=("wasm32-wasip1",)) == ["rustfmt", "wasm32-wasip1"]


def test_aarch64_host_gets_files_of_its_architecture():
    generation = Generation("/opt/x/.toolchain/a", "aarch64", Source("file:///m", "file:///m/rustup"), 0)
    assert generation.triple == ARM


def test_rustup_gets_a_clean_environment(monkeypatch: pytest.MonkeyPatch):
    for name in ("RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_HOME", "LD_PRELOAD", "RUSTUP_DIST_ROOT"):
        monkeypatch.setenv(name, "hostile")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("RUSTUP_USE_CURL", "1")
    environment = Generation("/g", "x86_64", Source("file:///m", "file:///m/rustup"), 0)._environment("file:///m")
    assert "hostile" not in environment.values()
    assert environment["https_proxy"] == "http://proxy.example:3128"
    assert environment["RUSTUP_USE_CURL"] == "1"
    assert (environment["CARGO_HOME"], environment["RUSTUP_HOME"]) == ("/g", "/g/rustup")
    assert environment["TMPDIR"] == "/g/tmp"


def test_modes_are_set_independent_of_their_old_values(tmp_path: Path):
    (tmp_path / "bin").mkdir(mode=0o700)
    for name, mode in (("bin/rustc", 0o6711), ("bin/data", 0o666)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    set_modes(str(tmp_path))
    modes = {
        path.name: f"{path.stat().st_mode & 0o7777:04o}" for path in [tmp_path / "bin", *(tmp_path / "bin").iterdir()]
    }
    assert modes == {"bin": "0755", "rustc": "0755", "data": "0644"}


def test_too_long_file_is_an_error_and_not_truncated(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"x" * 11)
    url = f"file://{tmp_path}/file"
    assert fetch(url, 11) == b"x" * 11
    with pytest.raises(FetchError, match="more than 10 bytes"):
        fetch(url, 10)


def test_url_of_the_official_server_is_written_so_that_rustup_keeps_it():
    """rustup replaces the official URL by RUSTUP_DIST_SERVER, which has only the manifest."""
    assert UPSTREAM not in _unaltered(UPSTREAM)
    assert _unaltered(UPSTREAM).lower() == UPSTREAM
    assert _unaltered("http://mirror.example") == "http://mirror.example"
