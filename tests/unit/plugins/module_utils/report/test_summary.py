# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The lines that end an apply."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_capacity
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import PolicyProblems
from ansible_collections.nova.agent_host.plugins.module_utils.desired.units import SSHD_FILE
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Given, Session, Sshd
from ansible_collections.nova.agent_host.plugins.module_utils.report.summary import fleet_lines, summary_lines
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, RoleRecord
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import (
    SUITABLE,
    changed,
    host,
    policy,
)

SET_PROPERTY_FILE = "/etc/systemd/system.control/user.slice.d/50-MemoryMax.conf"


def lines(observed=SUITABLE, **variables):
    return summary_lines(policy(**variables), host(observed, **variables))


def test_compliant_host_is_one_line():
    assert lines() == ["300 agents (326 at most) of 4 GiB; 300 cargo commands at once, 32 jobs each"]


def test_slots_and_jobs_come_from_the_policy():
    (line,) = lines(agent_wrappers_slots=1, agent_wrappers_jobs=7)
    assert line.endswith("; 1 cargo command at once, 7 jobs each")


@pytest.mark.parametrize(
    ("observed", "part"),
    [
        (changed(SUITABLE, "memory", swap=2 * GIB), "swap is on (2 GiB)"),
        (changed(SUITABLE, "memory", swap=2 * GIB), "`swapoff --all`"),
        (changed(SUITABLE, "fences", overcommit_memory=2), "`sysctl -w vm.overcommit_memory=0`"),
        (changed(SUITABLE, "fences", container_users=["a1 (docker)"]), "a1 (docker)"),
        (changed(SUITABLE, "fences", oomd=["/x/10-oomd.conf"]), "/x/10-oomd.conf"),
        (changed(SUITABLE, "fences", oomd=["/x/10-oomd.conf"]), "`systemctl disable --now systemd-oomd`"),
        (changed(SUITABLE, "fences", overrides={"user.slice": [SET_PROPERTY_FILE]}), SET_PROPERTY_FILE),
        (changed(SUITABLE, "fences", overrides={"user.slice": [SET_PROPERTY_FILE]}), "`systemctl revert user.slice`"),
        (changed(SUITABLE, "login_paths", sshd_without_pam=True), "UsePAM yes"),
        (changed(SUITABLE, "login_paths", pam_without_limits=["atd", "cron"]), "/etc/pam.d/atd, /etc/pam.d/cron"),
    ],
)
def test_settings_that_disable_a_limit_are_reported(observed, part):
    (_summary, note) = lines(observed)
    assert note.startswith("note: ") and part in note


def test_drift_that_no_apply_corrects_is_reported():
    given = [Given("/etc/ssh/sshd_config.d/05-own.conf", "5"), Given(SSHD_FILE, "400:30:700")]
    observed = changed(SUITABLE, "capacity", sshd=Sshd("9.6", True, {"maxstartups": given}))
    ours = policy()
    (_summary, note) = summary_lines(ours, host(observed), [agent_capacity.wanted(ours, host(observed))])
    assert note.startswith("note: maxstartups is 5 in /etc/ssh/sshd_config.d/05-own.conf") and SSHD_FILE in note


def test_sessions_with_other_limits_are_reported_after_the_apply():
    unlimited = [Session("agent1", "session-1.scope", {"as": None, "nofile": 1})]
    observed = replace(SUITABLE, sessions=unlimited)
    assert len(lines(observed)) == 1
    applied = replace(observed, manifest=Manifest({"agent_limits": RoleRecord()}))
    assert "agent1 (1)" in lines(applied)[1]


SESSIONS = [
    *(Session("agent1", f"session-{number}.scope", {}) for number in range(1, 4)),
    Session("agent2", "build.service", {}),
    Session("agent2", "user@1002.service", {}),
]


@pytest.mark.parametrize(("count", "running"), [("accounts", 2), ("sessions", 4), ("processes", 7)])
def test_more_agents_than_recommended_are_reported_as_counted(count, running):
    observed = replace(SUITABLE, sessions=SESSIONS, programs={"claude": 5, "codex": 2})
    given = {"agent_policy_count_agents": count, "agent_policy_agent_programs": ["claude", "codex"]}
    assert len(lines(observed, **given, agent_policy_recommended_agents=running)) == 1
    (_summary, note) = lines(observed, **given, agent_policy_recommended_agents=running - 1)
    assert f"{running} agents run, counted by {count}" in note


def test_counting_processes_needs_a_list_of_programs():
    with pytest.raises(PolicyProblems, match="agent_policy_agent_programs"):
        policy(agent_policy_count_agents="processes")


def test_ceiling_is_offered_once_for_all_suitable_hosts():
    printed = fleet_lines({"a": ["x"], "b": ["x"], "c": ["x"]}, ["a", "b"], "", ["a", "b", "c"])
    (offer,) = [line for line in printed if "agent_ceiling_enabled" in line]
    assert offer.startswith("no ceiling: a, b:")


def test_text_of_a_host_cannot_control_a_terminal():
    (_summary, note) = lines(changed(SUITABLE, "fences", container_users=["a\x1b[31m\u202e (docker)"]))
    assert note.isprintable()


def test_last_lines_name_the_incomplete_hosts():
    summaries = {"c": ["x"], "a": ["x"], "b": ["y"]}
    assert fleet_lines(summaries, ["c", "a", "b"], "") == ["c, a: x", "b: y", "done: 3 of 3 hosts"]
    assert fleet_lines(summaries, ["a"], "; note") == [
        "a: x",
        "reached: 1 of 3 hosts; note",
        "not reached or failed: c, b",
    ]


def test_name_of_a_host_cannot_control_a_terminal_or_end_a_line():
    name = "h\nost: 9 agents\x1b[31m\u202e"
    printed = [*fleet_lines({name: ["x"]}, [name], ""), *fleet_lines({name: ["x"]}, [], "")]
    assert len(printed) == 4 and all(line.isprintable() for line in printed)
