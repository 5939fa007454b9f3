# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""One set of numbers in three notations, and every limit that can't be meant."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.policy.limits import (
    PROCESS_ITEMS,
    LimitsError,
    check_extra,
    login_limits,
)

GIB = 1 << 30


def test_the_defaults_in_every_notation():
    assert login_limits("64G", 0, "65536:1048576", "", {}) == {
        "pam": ["- as 67108864", "- core 0", "soft nofile 65536", "hard nofile 1048576"],
        "systemd": ["LimitAS=68719476736", "LimitCORE=0", "LimitNOFILE=65536:1048576"],
        "prlimit": ["--as=68719476736", "--core=0", "--nofile=65536:1048576"],
        "kernel": {"as": [64 * GIB, 64 * GIB], "core": [0, 0], "nofile": [65536, 1048576]},
    }


def test_units_of_limits_conf_are_converted_for_the_others():
    limits = login_limits("64G", 0, "1024", "500", {"stack": "8192:unlimited", "cpu": 2, "maxlogins": 4})
    assert limits["pam"][3:] == ["- nproc 500", "- cpu 2", "- maxlogins 4", "soft stack 8192", "hard stack unlimited"]
    assert limits["systemd"][3:] == ["LimitNPROC=500", "LimitCPU=120", "LimitSTACK=8388608:infinity"]
    assert limits["prlimit"][3:] == ["--nproc=500", "--cpu=120", "--stack=8388608:unlimited"]
    assert limits["kernel"]["stack"] == [8 << 20, None]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"as": 4096}, "agent_limits_extra has as, which has a variable of its own: set agent_limits_login_address_space"),
        ({"nofile": 4096}, "agent_limits_extra has nofile, which has a variable of its own: set agent_limits_nofile"),
        (
            {"stak": 4096},
            "agent_limits_extra has 'stak', no item of limits.conf; allowed are cpu, data, fsize, locks, maxlogins, maxsyslogins, memlock, "
            "msgqueue, nice, priority, rss, rtprio, sigpending, stack",
        ),
        ({"stack": "8M"}, "agent_limits_extra: stack is '8M'; allowed is a whole number, unlimited, or SOFT:HARD of these"),
        ({"stack": "1:2:3"}, "agent_limits_extra: stack is '1:2:3'; allowed is a whole number, unlimited, or SOFT:HARD of these"),
        ({"stack": "unlimited:8192"}, "agent_limits_extra: stack is 'unlimited:8192': the soft limit is above the hard one"),
        ({"nice": "unlimited"}, "agent_limits_extra: nice is 'unlimited'; allowed is a number from -99 to 99, or SOFT:HARD of these"),
    ],
)  # fmt: skip
def test_a_limit_that_can_not_be_meant_is_refused_with_the_reason(extra, message):
    with pytest.raises(LimitsError) as caught:
        check_extra("agent_limits_extra", extra)
    assert str(caught.value) == message


def test_every_item_that_is_allowed_is_accepted():
    check_extra(
        "x", dict.fromkeys(set(PROCESS_ITEMS) - {"as", "core", "nofile", "nproc"}, 8) | {"nice": -5, "maxlogins": "4"}
    )
