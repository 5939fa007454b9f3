# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.action.rustup_toolchain import ActionModule
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request

ACTION = ActionModule.__new__(ActionModule)  # what is tested needs no task, connection or play
TREE = "/opt/nova-agent/toolchain"
ARGUMENTS: dict[str, Any] = {
    "path": TREE,
    "channel": "1.92.0",
    "components": ["rustfmt", "clippy"],
    "rustup_version": "1.29.0",
    "rustup_checksums": {"x86_64": "0" * 64},
    "dist_server": "https://mirror.example",
}


def observed(trees: tuple[str, ...] = (TREE,), **more: Any) -> dict[str, Any]:
    request = Request.from_options(ARGUMENTS).to_dict()
    return {
        "toolchains": {TREE: {"present": True, "request": request, "problems": [], **more}},
        "manifest": {"roles": {"agent_toolchain": {"paths": {}, "trees": list(trees)}}},
    }


def test_a_right_host_is_not_contacted():
    assert ACTION.tells_that_all_is_right(observed(), ARGUMENTS)
    assert ACTION.tells_that_all_is_right(
        observed(), {**ARGUMENTS, "purge": "no", "dist_server": "https://another.example"}
    )


@pytest.mark.parametrize(
    ("seen", "change"),
    [
        (observed(present=False), {}),
        (observed(problems=["bin/rustup: is missing"]), {}),
        (observed(request=None), {}),
        (observed(trees=(TREE, "/opt/old/toolchain")), {}),
        (observed(trees=()), {}),
        ({}, {}),
        ({"toolchains": {}, "manifest": {"roles": {}}}, {}),
        (observed(), {"channel": "1.93.0"}),
        (observed(), {"components": ["clippy"]}),
        (observed(), {"extra": [{"channel": "nightly"}]}),
        (observed(), {"purge": True}),
        (observed(), {"rustup_checksums": {"x86_64": "1" * 64}}),
        (observed(), {"state": "absent"}),
        (observed(), {"path": "/opt/other/toolchain"}),
        (observed(), {"channel": "no such; thing"}),
    ],
)
def test_anything_else_is_the_modules_to_decide(seen: dict[str, Any], change: dict[str, Any]):
    assert not ACTION.tells_that_all_is_right(seen, {**ARGUMENTS, **change})
