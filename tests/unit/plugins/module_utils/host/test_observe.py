# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What a host is compared with before it is sealed."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.observe import unlike_record
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT


@pytest.fixture
def held(tmp_path):
    """A file, and the manifest that has it so."""
    file = tmp_path / "limits.conf"
    file.write_text("one\n")
    record = {**observe(str(file)), "before": dict(ABSENT)}
    return file, Manifest({"agent_limits": {"paths": {str(file): record}, "trees": []}})


def test_a_host_as_recorded_misses_nothing(held):
    assert unlike_record(held[1]) == []


@pytest.mark.parametrize(
    "harm", [lambda file: file.unlink(), lambda file: file.write_text("two\n"), lambda file: file.chmod(0o666)]
)
def test_what_is_otherwise_is_named_unless_it_was_left_to_somebody(held, harm):
    file, manifest = held
    harm(file)
    assert unlike_record(manifest) == [str(file)]
    manifest.paths("agent_limits")[str(file)]["kept"] = True
    assert unlike_record(manifest) == []


def test_a_toolchain_that_is_not_there_is_named(held, tmp_path):
    held[1].add_tree("agent_toolchain", str(tmp_path / "toolchain"))
    assert unlike_record(held[1]) == [str(tmp_path / "toolchain")]
