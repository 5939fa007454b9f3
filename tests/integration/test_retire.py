# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Retire restores a host, also after a kill, with running units, and with edited files."""

from __future__ import annotations

import pytest

SWEEP = "/etc/systemd/system/nova-agent-sweep"
TIMER = "/etc/systemd/system/nova-agent-free-space.timer"


@pytest.fixture(scope="module")
def clean(lab, toolchain):
    """The clean host before the tests."""
    lab.variables.update(
        agent_policy_users=["agent1"],
        agent_policy_create_users=True,
        agent_policy_group="builders",
        agent_hygiene_target_max="1M",
        agent_hygiene_workspaces=["/home/agent1/nova"],
        agent_limits_services=["cron"],
    )
    lab.run("host1", "useradd -m agent1; useradd eve; groupadd builders; gpasswd --add eve builders")
    return state(lab)


def state(lab):
    """Files, groups, units of the collection, failed units, the limits of a service, and those of all users."""
    limits = lab.run(
        "host1",
        "systemctl show -P LimitAS cron; systemctl show -P MemoryMax -P TasksMax user.slice; getent group;"
        " systemctl is-system-running || true",
    )
    return sorted([*lab.snapshot("host1").splitlines(), *lab.units("host1"), *limits.splitlines()])


def differences(lab, clean):
    return sorted(set(state(lab)) ^ set(clean))


@pytest.mark.parametrize("results", [2, 4, 6])  # during each task that changes something
def test_killed_retire_is_finished_by_the_next(lab, clean, results):
    lab.site().succeeded()
    lab.kill_after(results, "nova.agent_host.retire", agent_retire_all_hosts=True)
    lab.retire().succeeded()
    assert differences(lab, clean) == []


def test_killed_apply_is_removed_by_retire(lab, clean):
    lab.kill_after(3, "nova.agent_host.site")
    lab.retire().succeeded()
    assert differences(lab, clean) == []


def test_leftovers_a_running_service_and_an_edited_timer_do_not_stop_retire(lab, clean):
    """Leftovers of a killed change of the toolchain, a sweep that never ends, and an edited timer."""
    lab.site().succeeded()
    lab.run(
        "host1",
        "cd /opt/nova-agent/.toolchain; for each in */; do ln -s gone ${each%/}.link; done; ls *.link;"
        # The drop-in is removed before retire.
        f"mkdir {SWEEP}.service.d; printf '[Service]\\nExecStart=\\nExecStart=sleep infinity\\n' >{SWEEP}.service.d/x.conf;"
        f" systemctl daemon-reload; systemctl start --no-block nova-agent-sweep; rm -r {SWEEP}.service.d;"
        " timeout 300 sh -c 'until systemctl is-active nova-agent-sweep | grep -q activating; do sleep 0.1; done'",
    )
    lab.run("host1", f"echo '# mine' >> {TIMER}; systemctl daemon-reload")
    assert f"{TIMER} is no longer wanted, but was edited" in lab.retire().succeeded().messages
    assert lab.run("host1", "systemctl is-active nova-agent-free-space.timer || true").strip() == "inactive"
    assert "# mine" in lab.run("host1", f"cat {TIMER}")
    lab.run("host1", f"rm {TIMER}; systemctl daemon-reload")
    lab.retire().succeeded()
    assert differences(lab, clean) == []


def test_files_are_readable_for_agents_under_a_narrow_umask(lab, clean):
    """Images with CIS hardening set this umask."""
    lab.run("host1", "printf 'Defaults umask=0077\\nDefaults umask_override\\n' >/etc/sudoers.d/umask")
    try:
        lab.site().succeeded()
        assert lab.run("host1", "stat -c %a /var/lib/nova-agent").strip() == "755"
        assert '"drift": {' in lab.run("host1", "su - agent1 -c 'agent-status --json'")
        assert lab.play("nova.agent_host.audit").status == 0
        assert lab.site().succeeded().changed == {}
        lab.retire().succeeded()
    finally:
        lab.run("host1", "rm -f /etc/sudoers.d/umask")
    assert differences(lab, clean) == []


def test_missing_scheduler_is_not_restarted(lab, clean):
    """For example atd on a host without the package at."""
    task = {"nova.agent_host.host_state": {"roles": [], "restarts": ["no-such-scheduler.service", "cron.service"]}}
    play = {"hosts": "all", "become": True, "gather_facts": False, "tasks": [task]}
    (result,) = lab.play([play]).succeeded().of("host_state")
    assert result["changed_units"] == ["restart cron.service"]
