# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A role is added as docs/adding-a-role.md describes: it is applied, audited, shown by agent-status, and retired."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from conftest import CHECKOUT

FEATURE = '''\
"""Feature of role agent_example: a text. Pure."""

from dataclasses import dataclass

from ansible_collections.nova.agent_host.plugins.module_utils.desired import variables as read
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Entry, Template, Wanted
from ansible_collections.nova.agent_host.plugins.module_utils.desired.variables import variable

ROLE = "agent_example"


@dataclass(frozen=True)
class Variables:
    size: int = variable(read.size)


def problems(policy):
    return []


def host_problems(policy, host):
    return []


def wanted(policy, host):
    text = Template("agent_example_template", {"size": policy.of(Variables).size})
    return Wanted(ROLE, (Entry("/etc/agent-example.conf", content=text, mode="0644"),))
'''
ROLE = {
    "defaults/main.yml": "agent_example_size: 1G\nagent_example_template: example.conf.j2\n",
    "templates/example.conf.j2": "size={{ size }}\n",
}
FILE = "/etc/agent-example.conf"


@pytest.fixture
def copy(tmp_path):
    """A folder of collections with a copy of this one."""
    folder = tmp_path / "collections/ansible_collections/nova/agent_host"
    for path in ("galaxy.yml", "meta", "playbooks", "plugins", "roles"):
        (shutil.copytree if (CHECKOUT / path).is_dir() else shutil.copy)(CHECKOUT / path, _with_parent(folder / path))
    return folder


def _with_parent(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def add_role(folder):
    """The feature, the role's folder, and the entry in the list."""
    shutil.copytree(folder / "roles/agent_status", folder / "roles/agent_example")
    for path in (folder / "roles/agent_example").rglob("*.yml"):
        path.write_text(path.read_text().replace("agent_status", "agent_example"))
    specs = (folder / "roles/agent_limits/meta/argument_specs.yml").read_text()
    space = specs.split("      agent_limits_login_address_space:")[1].split("      agent_limits_nofile:")[0]
    template = specs.split("      agent_limits_template:")[1].split("      agent_limits_service_template:")[0]
    (folder / "roles/agent_example/meta/argument_specs.yml").write_text(
        "argument_specs:\n  main:\n    short_description: Example\n    options:\n"
        f"      agent_example_size:{space.replace('64G', '1G')}      agent_example_template:{template.replace('limits.conf.j2', 'example.conf.j2')}"
    )
    for name, text in ROLE.items():
        (folder / "roles/agent_example" / name).write_text(text)
    add_feature(folder)


def add_feature(folder):
    (folder / "plugins/module_utils/desired/agent_example.py").write_text(FEATURE)
    features = folder / "plugins/module_utils/desired/features.py"
    features.write_text(
        features.read_text().replace("    agent_ceiling,\n", "    agent_ceiling,\n    agent_example,\n")
    )


def test_new_role_is_applied_audited_shown_and_retired(lab, toolchain, copy, monkeypatch):
    add_role(copy)
    monkeypatch.setattr(lab, "collections", copy.parents[2])
    lab.site().succeeded()
    assert lab.run("host1", f"cat {FILE}") == f"size={1 << 30}\n"
    assert lab.play("nova.agent_host.audit").status == 0
    wrong = lab.site(agent_example_size="much").failed()
    assert "agent_example_size is 'much'" in wrong.messages

    lab.run("host1", f"chmod 0600 {FILE}")
    drifted = lab.play("nova.agent_host.audit")
    assert (drifted.status, drifted.changed) == (2, {}) and FILE in drifted.messages
    changed = json.loads(lab.run("host1", "agent-status --json"))["drift"]["changed"]
    assert [(change["path"], change["role"]) for change in changed] == [(FILE, "agent_example")]
    assert lab.site(agent_example_size="2G").succeeded().paths() == {FILE}
    assert lab.roles("agent_example", agent_example_size="2G").succeeded().changed == {}

    lab.retire().succeeded()
    lab.run("host1", f"! ls {FILE}")


def test_feature_without_its_role_is_an_error_with_the_missing_file(lab, copy, monkeypatch):
    add_feature(copy)
    monkeypatch.setattr(lab, "collections", copy.parents[2])
    command, environment = lab.command("nova.agent_host.site")
    done = subprocess.run(command, check=False, text=True, capture_output=True, env=environment)
    assert done.returncode != 0
    assert "roles/agent_example/meta/argument_specs.yml" in done.stdout + done.stderr
