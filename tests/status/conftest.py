# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The real agent-status with its library, as the role renders it, beside a host's real wrappers and slots."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

# First, because Ansible's finder of collections, which it sets up, must be there before anything of ours is imported.
from wrappers.host import GUARD, Host, program, render  # isort: skip
from ansible_collections.nova.agent_host.plugins.plugin_utils.library import library_entries

ROLE = Path(__file__).parents[2] / "roles/agent_status"


@dataclass(frozen=True)
class Status:
    """The program, and the host whose slots it is told of."""

    program: Path
    policy: Path
    host: Host

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.program), *arguments]
        variables = {"PATH": "/usr/bin:/bin", "LANG": "C", **environment}
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=GUARD)

    def facts(self) -> dict[str, Any]:
        done = self.run("--json")
        assert (done.returncode, done.stderr) == (0, "")
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts


def install(root: Path) -> Status:
    """Write the program, its library and its policy below ``root``."""
    host = render(root)
    loader = DataLoader()
    variables = {
        **loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True),
        "agent_policy_prefix": str(host.prefix),
        "agent_policy_group": "root",
        "agent_policy_rust_channel": "1.92.0",
        "agent_policy_memory_per_agent": "1G",
        "agent_policy_system_reserve": "",
        "agent_policy_headroom": "",
        "agent_policy_recommended_agents": "",
    }
    templar = Templar(loader=loader, variables=variables)
    names = {
        name: templar.template(trust_as_template(f"{{{{ __agent_status_{name} }}}}"))
        for name in ("library", "policy_file", "program", "policy")
    }
    for entry in library_entries("status.command", names["library"]):
        path = Path(entry["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["content"])
    policy = Path(names["policy_file"])
    policy.parent.mkdir(exist_ok=True)
    policy.write_text(json.dumps({**names["policy"], "pool": str(host.pool)}))
    text = templar.template(trust_as_template((ROLE / "templates/agent-status.j2").read_text()))
    return Status(program(Path(names["program"]), text), policy, host)


@pytest.fixture
def status(tmp_path: Path) -> Status:
    return install(tmp_path)
