# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Roles in a user's own play: alone, all in a loop, and after site."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import ROLES

# A path of each role on a clean host. agent_ceiling is off by default, and can't work in a container.
PATHS = {
    "agent_capacity": "/etc/ssh/sshd_config.d/10-nova-agent.conf",
    "agent_hygiene": "/opt/nova-agent/bin/check-test-layout",
    "agent_limits": "/etc/security/limits.d/90-nova-agent.conf",
    "agent_status": "/opt/nova-agent/bin/agent-status",
    "agent_toolchain": "/usr/local/bin/rustc",
    "agent_wrappers": "/opt/nova-agent/bin/cargo_agent.sh",
}

pytestmark = pytest.mark.usefixtures("toolchain")


def play(roles, how):
    """A play with these roles, in one of Ansible's ways to include them."""
    names = [f"nova.agent_host.{role}" for role in roles]
    if how == "roles":
        return {"hosts": "all", "become": True, "gather_facts": False, "roles": names}
    if how == "include_role in a loop":
        tasks = [{"ansible.builtin.include_role": {"name": "{{ item }}"}, "loop": names}]
    else:
        tasks = [
            {f"ansible.builtin.{how}": {"name": name}, "tags": [role]} for role, name in zip(roles, names, strict=True)
        ]
    return {"hosts": "all", "become": True, "gather_facts": False, "tasks": tasks}


def shown(lab, plays, *arguments):
    """The roles that would write their path, by check mode."""
    played = lab.play(plays, "--check", "--diff", *arguments).succeeded()
    return {role for role, path in PATHS.items() if path in played.shown()}


def test_role_works_alone_and_with_its_tag_but_not_without_it(lab):
    plays = [play([role], "roles") for role in PATHS]
    played = lab.play(plays, "--check", "--diff").succeeded()
    each = [replace(played, results=[one]).shown() for one in played.results if one["action"] == "policy_apply"]
    wrote = [{role for role, path in PATHS.items() if path in paths} for paths in each]
    assert [roles for roles in wrote if roles] == [{role} for role in PATHS]
    some = {"agent_limits", "agent_toolchain", "agent_wrappers"}
    assert shown(lab, plays, "--tags", ",".join(some)) == some
    others = PATHS.keys() - {"agent_status"}
    assert shown(lab, plays, "--skip-tags", ",".join(others)) == {"agent_status"}


@pytest.mark.parametrize("how", ["import_role", "include_role"])
def test_role_has_its_tag_in_each_way_of_including_it(lab, how):
    plays = [play([role], how) for role in ("agent_limits", "agent_status")]
    assert shown(lab, plays, "--tags", "agent_limits") == {"agent_limits"}


def test_all_roles_in_one_play_and_each_alone_give_the_same_result_as_site(lab):
    """The desired state of a role does not depend on the other roles in the play."""
    lab.play([play(ROLES, "include_role in a loop")]).succeeded()
    assert lab.site().succeeded().changed == {}
    others = [play(ROLES, "roles"), *(play([role], "roles") for role in ROLES)]
    assert lab.play(others).succeeded().changed == {}
    assert lab.play("nova.agent_host.audit").status == 0


def test_play_with_one_role_keeps_files_of_other_roles(lab):
    lab.site(agent_wrappers_guard="none").succeeded()
    lab.roles("agent_limits", agent_limits_login_address_space="63G").succeeded()
    played = lab.site(agent_wrappers_guard="none").succeeded()
    assert played.paths() == {PATHS["agent_limits"]}


def test_service_with_edited_limits_is_restarted_with_the_limits_of_the_policy(lab):
    wanted = {"agent_limits_services": ["cron"], "agent_limits_restart_services": True}
    lab.site(**wanted).succeeded()
    lab.run(
        "host1",
        "cd /etc/systemd/system/cron.service.d; sed -i 's/^LimitAS=.*/LimitAS=40G/' *.conf; systemctl daemon-reload;"
        " systemctl restart cron",
    )
    lab.site(**wanted).succeeded()
    limit = "prlimit --raw --noheadings -o HARD --as --pid $(systemctl show -P MainPID cron)"
    assert lab.run("host1", limit).strip() == str(64 << 30)
    assert lab.site(**wanted).succeeded().changed == {}
