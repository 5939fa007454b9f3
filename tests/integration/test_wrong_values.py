# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Wrong variables end the play before any host is contacted, and unsuitable hosts end it before any change."""

from __future__ import annotations

import platform

import pytest

OTHER = "aarch64" if platform.machine() == "x86_64" else "x86_64"


def test_wrong_variables_stop_the_play_before_any_connection(lab):
    """No host has the address, so a play that connects would report it as unreachable."""
    unused_address = lab.controller.rsplit(".", 1)[0] + ".254"
    wrong = {
        "agent_policy_memory_per_agent": "lots",
        "agent_policy_group": "line\nbreak",
        "agent_policy_prefix": "/var/tmp/nova",
        "agent_policy_users": None,
        "agent_toolchain_dist_server": "https://me:s3cret@mirror.example",
    }
    played = lab.site(ansible_host=unused_address, **wrong).failed()
    assert all(f"{name} " in played.messages for name in wrong)
    assert {one["status"] for one in played.results} == {"ok", "failed"}
    assert "s3cret" not in played.text
    assert len(played.text.splitlines()) < 40


@pytest.fixture(scope="module")
def clean(lab):
    """The host before the tests, which change nothing."""
    return lab.snapshot("host1")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"agent_policy_memory_per_agent": "4T", "agent_policy_memory_hard_limit": "8T", "agent_limits_login_address_space": "16T"},
            "lower per_agent (agent_policy_memory_per_agent) to at most ",
        ),
        ({"agent_policy_headroom": "64T"}, "headroom (agent_policy_headroom)"),
        ({"agent_policy_users": ["nobody-of-that-name"]}, "agent_policy_users has nobody-of-that-name, which the host does not have"),
        ({"agent_policy_users": ["ubuntu"]}, "the agents' limits would apply to ubuntu, which is root or the account that the play logs in with: remove it from group nova-agents"),
        ({"agent_limits_extra": {"rtprio": "50"}}, "agent_limits_extra: rtprio is 50, but root can set at most 0 on this host, so no agent could log in: set it to 0:0"),
        ({"agent_limits_extra": {"stack": "4"}}, "no shell starts with"),
        ({"agent_hygiene_workspaces": ["/home/agent1/nova"], "agent_hygiene_schedule": "someday"}, "agent_hygiene_schedule"),
        ({"agent_toolchain_rustup_checksums": {OTHER: "0" * 64}}, f"the host's architecture is {platform.machine()}; agent_toolchain_rustup_checksums has {OTHER}"),
    ],
)  # fmt: skip
def test_unsuitable_host_is_not_changed(lab, clean, variables, message):
    assert message in lab.site(**variables).failed().messages
    assert lab.snapshot("host1") == clean


def test_missing_become_is_an_error(lab):
    message = "the play runs as uid 1000, but it needs root: set become: true, without become_user"
    assert message in lab.roles("agent_limits", ansible_become=False).failed().messages


def test_limits_that_block_logins_are_not_written(lab):
    nr_open = int(lab.run("host1", "cat /proc/sys/fs/nr_open"))
    played = lab.site("--tags", "agent_limits", agent_limits_nofile=str(nr_open + 1)).failed()
    assert f"agent_limits_nofile is {nr_open + 1}" in played.messages and "auto" in played.messages
    assert "No such file" in lab.run("host1", "cat /etc/security/limits.d/90-nova-agent.conf", check=False)


@pytest.mark.parametrize(
    ("damage", "repair", "message"),
    [
        (
            "sed -i.away -E 's/^ID=.*/ID=fedora/; s/^ID_LIKE=.*/ID_LIKE=rhel/' /etc/os-release",
            "mv /etc/os-release.away /etc/os-release",
            "the host runs fedora 24.04; needed is Ubuntu 22.04 or newer, or Debian 12 or newer",
        ),
        (
            "mv /run/systemd/system /run/systemd/system.away",
            "mv /run/systemd/system.away /run/systemd/system",
            "the host was not booted with systemd (/run/systemd/system is missing): boot it with systemd as PID 1",
        ),
        (
            "mv /usr/bin/python3 /usr/bin/python3.away",
            "mv /usr/bin/python3.away /usr/bin/python3",
            "/usr/bin/python3: not found; install python3 on the host, or set ansible_python_interpreter",
        ),
    ],
    ids=["another OS family", "no systemd", "no python3"],
)
def test_unsuitable_host_is_named_with_the_reason(lab, damage, repair, message):
    lab.run("host1", damage)
    try:
        assert message in lab.site().failed().messages
    finally:
        lab.run("host1", repair)
