# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Each role in a stranger's play: by roles, import_role and include_role, with its own tag and without it."""

from __future__ import annotations

import pytest

# What each role's diff shows on a clean host. agent_ceiling is off unless asked for, and can't work in a container.
HOLDS = {
    "agent_hygiene": "/opt/nova-agent/bin/check-test-layout",
    "agent_limits": "/etc/security/limits.d/90-nova-agent.conf",
    "agent_status": "/opt/nova-agent/bin/agent-status",
    "agent_toolchain": "/usr/local/bin/rustc",
    "agent_wrappers": "/opt/nova-agent/bin/cargo_agent.sh",
}

pytestmark = pytest.mark.usefixtures("toolchain")


def tasks(role, how):
    name = f"nova.agent_host.{role}"
    if how == "roles":
        return {"roles": [name]}
    return {"tasks": [{"name": "A role", f"ansible.builtin.{how}": {"name": name}, "tags": [role]}]}


@pytest.mark.parametrize("how", ["roles", "import_role", "include_role"])
@pytest.mark.parametrize("role", HOLDS)
def test_a_role_works_alone_and_under_its_tag_and_not_without(lab, role, how):
    play = [{"name": "A stranger's play", "hosts": "all", "become": True, "gather_facts": False, **tasks(role, how)}]
    for arguments, works in (([], True), (["--tags", role], True), (["--skip-tags", role], False)):
        text = lab.play(play, "--check", "--diff", *arguments).succeeded().text
        assert (HOLDS[role] in text) == works, (arguments, text)
