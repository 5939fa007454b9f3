# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The same limits in three notations, and sessions with other limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_limits
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import HostProblems
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Deep, Login, Session
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import (
    SUITABLE,
    changed,
    host,
    policy,
    wanted,
)


def notations(**variables):
    ours = policy(**variables).of(agent_limits.Variables)
    entry = wanted(agent_limits, **variables).entries[0]
    options = entry.validate.removeprefix(agent_limits.TRY_SHELL).split()
    return (
        agent_limits.pam_lines(ours, SUITABLE),
        agent_limits.systemd_lines(ours, SUITABLE),
        options,
        agent_limits.limits(ours, SUITABLE),
    )


def test_defaults_are_written_in_every_notation():
    assert notations() == (
        ["- as 67108864", "- core 0", "soft nofile 65536", "hard nofile 1048576"],
        ["LimitAS=68719476736", "LimitCORE=0", "LimitNOFILE=65536:1048576"],
        ["--as=68719476736", "--core=0", "--nofile=65536:1048576"],
        {"as": [64 * GIB, 64 * GIB], "core": [0, 0], "nofile": [65536, 1048576]},
    )


def test_units_of_limits_conf_are_converted_for_systemd_and_the_kernel():
    extra = {"stack": "8192:unlimited", "cpu": 2, "maxlogins": 4}
    pam, systemd, options, kernel = notations(
        agent_limits_nofile="1024", agent_limits_nproc="500", agent_limits_extra=extra
    )
    assert pam[3:] == ["- nproc 500", "- cpu 2", "soft stack 8192", "hard stack unlimited", "- maxlogins 4"]
    assert systemd[3:] == ["LimitNPROC=500", "LimitCPU=120", "LimitSTACK=8388608:infinity"]
    assert options[3:] == ["--nproc=500", "--cpu=120", "--stack=8388608:unlimited"]
    assert kernel["stack"] == [8 << 20, None]


def test_every_allowed_item_is_accepted():
    extra = dict.fromkeys(set(agent_limits.PROCESS_ITEMS) - set(agent_limits.OWN_VARIABLE), 8)
    policy(agent_limits_extra={**extra, "nice": -5, "maxlogins": "4"})


@pytest.mark.parametrize(
    ("nofile", "works"),
    [("65536:1048576", "65536:524288"), ("1048576", "524288:524288"), ("524289", "524288:524288")],
)
def test_nofile_above_the_host_limit_is_refused_with_a_valid_number(nofile, works):
    observed = changed(SUITABLE, "capacity", open_files=524288)
    with pytest.raises(HostProblems) as refused:
        host(observed, agent_limits_nofile=nofile)
    assert str(refused.value) == (
        f"agent_limits_nofile is {nofile}, but root can set at most 524288 open files on this host, so no agent could "
        f"log in: set it to {works}, or to auto"
    )
    for possible in (works, "auto", "1024"):
        assert host(observed, agent_limits_nofile=possible)


@pytest.mark.parametrize(("allowed", "limit"), [(None, [65536, 1048576]), (524288, [65536, 524288]), (0, [0, 0])])
def test_auto_is_never_above_the_host_limit(allowed, limit):
    observed = changed(SUITABLE, "capacity", open_files=allowed)
    assert host(observed)
    assert agent_limits.limits(policy().of(agent_limits.Variables), observed)["nofile"] == limit


def test_each_service_has_a_drop_in_and_is_restarted_only_if_configured():
    role = wanted(agent_limits, agent_limits_services=["build-runner", "lint@1"])
    assert [entry.path for entry in role.entries[1:]] == [
        "/etc/systemd/system/build-runner.service.d/90-nova-agent.conf",
        "/etc/systemd/system/lint@1.service.d/90-nova-agent.conf",
    ]
    assert [(unit.name, unit.limited, unit.restart) for unit in role.units] == [
        ("build-runner.service", True, False),
        ("lint@1.service", True, False),
    ]
    again = wanted(agent_limits, agent_limits_services=["build-runner"], agent_limits_restart_services=True)
    assert again.units[0].restart


def conditions(observed):
    """The differences: name, found value, different parts."""
    role = wanted(agent_limits, observed)
    return [(one.name, one.found, one.differs) for one in role.conditions if one.found != one.expected]


def test_logins_without_pam_are_reported():
    assert conditions(SUITABLE) == []
    observed = changed(SUITABLE, "login_paths", sshd_without_pam=True, pam_without_limits=["atd"])
    assert conditions(observed) == [("sshd", False, "pam"), ("/etc/pam.d/atd", False, "pam")]


def deep(**logins):
    return replace(SUITABLE, deep=Deep(logins, {}))


def test_limits_of_a_login_are_compared_or_unknown():
    right = {"as": [64 * GIB, 64 * GIB], "core": [0, 0], "nofile": [65536, 1048576]}
    assert conditions(deep(agent1=Login({**right, "stack": [1, 1]}))) == []
    ((_name, found, differs),) = conditions(deep(agent1=Login({**right, "as": [None, None], "nofile": [1024, 4096]})))
    assert differs == "as nofile"
    assert "unlimited" in found and str(64 * GIB) in found and "1024:4096" in found
    assert conditions(deep(agent1=Login(error="no PAM"))) == [("agent1", None, "kind")]


def session(user, address_space, files=4096):
    return Session(user, "session-1.scope", {"as": address_space, "nofile": files})


@pytest.mark.parametrize(
    ("sessions", "stale"),
    [
        ([session("a", GIB)], []),
        ([session("a", None), session("a", 2 * GIB), session("b", GIB)], ["a (2)"]),
        ([session("b", GIB, 10), session("a", GIB // 2)], ["a (1)", "b (1)"]),
    ],
)
def test_sessions_with_other_limits_are_counted_by_owner(sessions, stale):
    assert agent_limits.stale_sessions(sessions, {"as": [GIB, GIB], "nofile": [1024, 4096]}) == stale


def test_sessions_with_other_limits_are_a_note():
    role = wanted(agent_limits, replace(SUITABLE, sessions=[session("a", None)]))
    assert [(note.kind, note.name) for note in role.notes] == [("sessions", "a (1)")]
