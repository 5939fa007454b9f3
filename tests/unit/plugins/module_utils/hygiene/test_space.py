# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Limits of free space, and the order of removal."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.space import (
    GONE,
    IDLE,
    OTHERS,
    OVER_SHARE,
    Candidate,
    Disk,
    Mark,
    Space,
    check_mark,
    is_gone,
    marks_problem,
    removal_order,
)
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from hypothesis import given
from hypothesis import strategies as st

SPACE = Space(size=1000, free=50, inodes=1000, free_inodes=500)


def disk(least="10%", goal="20%", space=SPACE):
    return Disk("/home", space, check_mark("least", least), check_mark("goal", goal))


@pytest.mark.parametrize(
    ("given", "mark"), [("10%", Mark(percent=10)), ("500G", Mark(size=500 * GIB)), ("0", None), (0, None)]
)
def test_mark_is_a_share_or_a_size(given, mark):
    assert check_mark("name", given) == mark


@pytest.mark.parametrize("value", ["0%", "100%", "10", 10, "1.5%", "-1G", "ten", "5 %", True, ""])
def test_invalid_mark_is_named(value):
    with pytest.raises(
        ValueError, match=r"^agent_hygiene_free_min is .*, or a share of the file system from 1% to 99%, or 0 for off$"
    ):
        check_mark("agent_hygiene_free_min", value)


@pytest.mark.parametrize(
    ("least", "goal", "parts"),
    [
        ("10%", "0", ("goal is 0", "10%")),
        ("0", "10%", ("least is 0",)),
        ("20%", "10%", ("20%", "10%")),
        ("2G", "1G", ("2G",)),
    ],
)
def test_conflicting_marks_are_refused(least, goal, parts):
    problem = marks_problem(check_mark("least", least), check_mark("goal", goal), ("least", "goal"))
    assert [part for part in parts if part not in problem] == []


@pytest.mark.parametrize(("least", "goal"), [("0", "0"), ("10%", "10%"), ("1G", "2G"), ("1G", "1%"), ("50%", "1G")])
def test_matching_marks_are_accepted(least, goal):
    assert marks_problem(check_mark("least", least), check_mark("goal", goal), ("least", "goal")) == ""


def test_bytes_and_inodes_are_treated_alike():
    assert disk().is_short()
    assert not disk(space=SPACE._replace(free=100)).is_short()
    assert disk(space=SPACE._replace(free=900, free_inodes=99)).is_short()
    assert not disk(space=SPACE._replace(free=900, inodes=0, free_inodes=0)).is_short()
    assert disk(space=SPACE._replace(free=900, free_inodes=199)).is_served() is False
    assert disk(space=SPACE._replace(free=900, free_inodes=200)).is_served()


def test_size_applies_as_the_same_share_of_inodes():
    whole = Space(size=100 * GIB, free=50 * GIB, inodes=1000, free_inodes=90)
    assert disk("10G", "20G", whole).is_short()
    assert not disk("10G", "20G", whole._replace(free_inodes=100)).is_short()


def test_mark_above_the_size_of_the_file_system_removes_nothing():
    small = disk("1G", "2G", Space(GIB // 2, 0, 0, 0))
    assert not small.is_short()
    assert "2G" in small.problem() and "512 MiB" in small.problem()


def folders(*rows):
    """(name, owner, used, size), and whether the agent is gone."""
    return {
        row[0]: Candidate(number, row[1], row[2], row[3], 1, *row[4:], *([False] if len(row) == 4 else []))
        for number, row in enumerate(rows)
    }


def order(named, space=SPACE):
    names = {candidate.key: name for name, candidate in named.items()}
    return [(names[one.key], turn) for one, turn in removal_order(list(named.values()), space)]


def test_removed_agents_come_first_then_the_least_recently_used():
    named = folders(
        ("new", 1, 30.0, 100), ("old", 2, 10.0, 100), ("gone", 3, 40.0, 100, True), ("middle", 1, 20.0, 100)
    )
    assert order(named) == [("gone", GONE), ("old", OTHERS), ("middle", OTHERS), ("new", OTHERS)]


def test_owner_with_forged_use_keeps_no_more_than_a_share():
    liar = [(f"liar{number}", 666, 1000.0 + number, 200) for number in range(4)]
    named = folders(*liar, ("idle", 1, 1.0, 100), ("busy", 2, 2.0, 100))
    # A third of the disk is 333 for each of three owners: 800 is cut to 200.
    assert order(named)[:3] == [("liar0", OVER_SHARE), ("liar1", OVER_SHARE), ("liar2", OVER_SHARE)]
    assert order(named)[3:] == [("idle", OTHERS), ("busy", OTHERS), ("liar3", OTHERS)]


def test_owner_with_less_than_twice_the_average_is_treated_like_others():
    named = folders(("old", 1, 1.0, 300), ("new", 2, 3.0, 250), ("newer", 2, 4.0, 250))
    assert [name for name, _turn in order(named)] == ["old", "new", "newer"]


def test_share_of_the_inodes_counts_as_well():
    many = Candidate(0, 1, 99.0, 1, 600, False)
    few = Candidate(1, 2, 1.0, 1, 1, False)
    assert removal_order([few, many], SPACE) == [(many, OVER_SHARE), (few, OTHERS)]


def test_account_is_gone_if_it_is_unknown_or_idle():
    now = 10 * IDLE
    assert is_gone(now, now, known=False, at_work=False)
    assert not is_gone(now, now, known=False, at_work=True)  # a directory server may be unreachable
    assert not is_gone(now, now, known=True, at_work=False)
    assert is_gone(now - IDLE, now, known=True, at_work=False)
    assert not is_gone(0, now, known=True, at_work=True)


@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0, 1e9), st.integers(0, 400), st.booleans()), max_size=30),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_forged_times_of_an_owner_cannot_remove_more_of_others(rows, liar, seed: random.Random):
    honest = [Candidate(number, *row[:3], 1, row[3]) for number, row in enumerate(rows)]
    forged = [one._replace(used=seed.uniform(0, 2e9)) if one.uid == liar else one for one in honest]
    ordered = removal_order(forged, SPACE)
    assert Counter(one for one, _turn in ordered) == Counter(forged)
    turns = [turn for _one, turn in ordered]
    assert turns == sorted(turns)
    present = {one.uid for one in forged if not one.gone}
    # Before the last group, no owner has more than its share of bytes and inodes.
    for uid in present:
        others = [one for one in forged if not one.gone and one.uid != uid]
        remaining = [one for one, turn in ordered if turn == OTHERS and one.uid == uid]
        fair = max(
            SPACE.size / len(present), 2 * max(sum(one.size for one in others), len(others)) / max(len(present) - 1, 1)
        )
        assert max(sum(one.size for one in remaining), len(remaining)) <= fair + 1
