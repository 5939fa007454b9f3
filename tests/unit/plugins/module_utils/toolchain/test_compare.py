# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import InstalledToolchain, ToolchainTree
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.compare import differences
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request

SUM = "a" * 64
TREE = "/opt/nova-agent/toolchain"
OPTIONS: dict[str, Any] = {
    "channel": "1.92.0",
    "components": ["clippy"],
    "rustup_version": "1.29.0",
    "rustup_checksums": {"x86_64": "b" * 64},
    "channel_checksums": {"1.92.0": SUM},
}


def observed(**more: Any) -> ToolchainTree:
    """The state of a host after an apply of OPTIONS."""
    request = Request.from_options(OPTIONS)
    toolchains = [
        InstalledToolchain(name=one.channel, sha256=one.sha256, **one.to_dict()) for one in request.toolchains
    ]
    given = {"present": True, "request": request.to_dict(), "toolchains": toolchains, "problems": [], **more}
    given["request"] = json.dumps(given["request"], sort_keys=True) if given["request"] else ""
    return ToolchainTree(in_use=[], **given)


def names(options: dict[str, Any], found: ToolchainTree, trees: tuple[str, ...] = (TREE,)) -> list[str]:
    return [one.name for one in differences(Request.from_options({**OPTIONS, **options}), TREE, found, trees)]


def test_toolchain_as_requested_has_no_difference():
    assert names({}, observed()) == []


@pytest.mark.parametrize(
    ("options", "found", "trees", "expected"),
    [
        ({}, observed(present=False, request=None, toolchains=[]), (), ["missing"]),
        ({"channel": "1.93.0"}, observed(), (TREE,), ["missing"]),
        ({"channel": "1.93.0", "purge": True}, observed(), (TREE,), ["missing", "unwanted"]),
        ({"components": ["clippy", "rustfmt"]}, observed(), (TREE,), ["other"]),
        ({"channel_checksums": {"1.92.0": "c" * 64}}, observed(), (TREE,), ["other"]),
        ({"channel_checksums": {}}, observed(), (TREE,), ["other"]),
        ({"rustup_version": "1.28.2"}, observed(), (TREE,), ["other"]),
        ({}, observed(problems=["bin/rustc: is missing", "left over"]), (TREE,), ["damaged", "damaged"]),
        ({}, observed(), ("/old/toolchain", TREE), ["unwanted"]),
        ({}, observed(), (), ["unrecorded"]),
    ],
)
def test_each_difference_has_a_name(options, found, trees, expected):
    assert names(options, found, trees) == expected
