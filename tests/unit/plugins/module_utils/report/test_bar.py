# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The parts of a bar add up to the host's memory."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.report.bar import Segment, bar
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget


def test_bar_and_text_of_the_host_in_the_guide():
    drawn = bar(memory_budget(1536 * GIB, 192), 652 * GIB)
    assert drawn.words == (
        "of 1,536 GiB: 1,200 GiB recommended agents, 104 GiB further agents, 200 GiB headroom, 32 GiB system reserve,"
        " sessions use 652 GiB now"
    )
    assert drawn.segments == (
        Segment("recommended", 0.0, 78.12),
        Segment("further", 78.12, 6.78),
        Segment("headroom", 84.9, 13.02),
        Segment("reserve", 97.92, 2.08),
    )
    assert drawn.load == 0.5 and drawn.used_width == 42.45


@pytest.mark.parametrize("total", [6 * GIB, 64 * GIB - 1, 24 << 40])
@pytest.mark.parametrize("hugepages", [0, GIB // 2])
def test_parts_cover_the_bar_from_0_to_100(total, hugepages):
    segments = bar(memory_budget(total, 8, hugepages, per_agent=GIB), 0).segments
    assert segments[0].start == 0
    for one, next_one in zip(segments, segments[1:]):
        assert round(one.start + one.width, 2) == next_one.start
    assert round(segments[-1].start + segments[-1].width, 2) == 100
    assert all(segment.width >= 0 for segment in segments)


def test_unusable_memory_is_a_part():
    drawn = bar(memory_budget(64 * GIB, 8, cgroup_limit=16 * GIB), None)
    assert drawn.segments[-1] == Segment("unusable", 25.0, 75.0)
    assert drawn.words.endswith("48 GiB not usable by processes")
    assert drawn.used is None and drawn.load is None


def test_values_above_the_total_stay_on_the_bar():
    drawn = bar(memory_budget(64 * GIB, 8), 100 * GIB)
    assert drawn.used_width == 100 and drawn.load > 1
