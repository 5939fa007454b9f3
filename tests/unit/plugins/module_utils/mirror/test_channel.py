# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.mirror.channel import (
    ChannelError,
    artifacts,
    parse,
    tomllib,
)
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import UPSTREAM, Toolchain

needs_toml = pytest.mark.skipif(tomllib is None, reason="only controllers build mirrors: Python 3.11 or newer")
ARM, X86 = "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"


def entry(name: str, target: str) -> dict[str, Any]:
    path = f"{UPSTREAM}/dist/2025-12-11/{name}-1.92.0-{target}.tar"
    return {
        "available": True,
        "url": f"{path}.gz",
        "hash": "a" * 64,
        "xz_url": f"{path}.xz",
        "xz_hash": "b" * 64,
    }


def manifest() -> dict[str, Any]:
    """A small manifest with the structure of upstream's."""
    names = ("rustc", "cargo", "rust-std", "clippy-preview", "rust-docs")
    packages = {name: {"target": {target: entry(name, target) for target in (ARM, X86)}} for name in names}
    packages["rust-src"] = {"target": {"*": entry("rust-src", "any")}}
    packages["rust-std"]["target"]["wasm32-unknown-unknown"] = entry("rust-std", "wasm32-unknown-unknown")

    def offered(triple: str) -> dict[str, Any]:
        return {
            "components": [{"pkg": name, "target": triple} for name in ("rustc", "cargo", "rust-std", "rust-docs")],
            "extensions": [
                {"pkg": "clippy-preview", "target": triple},
                {"pkg": "rust-src", "target": "*"},
                {"pkg": "rust-std", "target": "wasm32-unknown-unknown"},
            ],
        }

    return {
        "date": "2025-12-11",
        "pkg": {**packages, "rust": {"target": {triple: offered(triple) for triple in (ARM, X86)}}},
        "renames": {"clippy": {"to": "clippy-preview"}},
        "profiles": {"minimal": ["rustc", "cargo", "rust-std", "rust-mingw"], "default": ["rustc", "rust-docs"]},
    }


def names(toolchain: Toolchain, triple: str) -> list[str]:
    found = artifacts(manifest(), toolchain, triple)
    assert {artifact.sha256 for artifact in found} == {"b" * 64}
    return [artifact.path.removeprefix("dist/2025-12-11/") for artifact in found]


def test_files_of_each_architecture_are_listed():
    for triple in (ARM, X86):
        assert names(Toolchain("1.92.0", "minimal", ("clippy", "rust-src"), ("wasm32-unknown-unknown",)), triple) == [
            f"rustc-1.92.0-{triple}.tar.xz",
            f"cargo-1.92.0-{triple}.tar.xz",
            f"rust-std-1.92.0-{triple}.tar.xz",
            f"clippy-preview-1.92.0-{triple}.tar.xz",
            "rust-src-1.92.0-any.tar.xz",
            "rust-std-1.92.0-wasm32-unknown-unknown.tar.xz",
        ]


@pytest.mark.parametrize(
    ("toolchain", "message"),
    [
        (Toolchain("1.92.0", "minimal", ("miri",)), f"channel 1.92.0 has no miri ({X86}) for {X86}"),
        (Toolchain("1.92.0", "minimal", (), ("avr",)), f"channel 1.92.0 has no rust-std (avr) for {X86}"),
    ],
)
def test_missing_components_are_named(toolchain: Toolchain, message: str):
    with pytest.raises(ChannelError) as error:
        artifacts(manifest(), toolchain, X86)
    assert str(error.value) == message


def test_listed_but_unavailable_component_is_named():
    lacking = manifest()
    lacking["pkg"]["cargo"]["target"][X86] = {"available": False}
    with pytest.raises(ChannelError) as error:
        artifacts(lacking, Toolchain("1.92.0"), X86)
    assert str(error.value) == f"cargo for {X86} is listed in the channel of 2025-12-11, but not available"


@pytest.mark.parametrize("url", ["https://x/dist/../../etc/passwd", "https://x/etc/passwd", "dist/a b"])
def test_paths_of_a_manifest_cannot_leave_the_mirror(url: str):
    hostile = manifest()
    hostile["pkg"]["cargo"]["target"][X86]["xz_url"] = url
    with pytest.raises(ChannelError, match="which is not below a server's dist/ folder"):
        artifacts(hostile, Toolchain("1.92.0"), X86)


@needs_toml
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>", "http://m/x is not a channel manifest: Invalid statement (at line 1, column 1)"),
        ("manifest-version = '3'", "http://m/x has manifest-version '3'; supported is only '2'"),
    ],
)
def test_invalid_manifest_is_refused(text: str, message: str):
    with pytest.raises(ChannelError) as error:
        parse(text, "http://m/x")
    assert str(error.value) == message
