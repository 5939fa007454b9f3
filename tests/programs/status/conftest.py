# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""agent-status with its library, as the role renders it, together with real wrappers and slots."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# First, because it sets up Ansible's finder of collections, before the first import of the collection.
from wrappers.host import GUARD, Host, program, render  # isort: skip
from ansible_collections.nova.agent_host.plugins.plugin_utils.collection import rendered, template_of
from ansible_collections.nova.agent_host.plugins.plugin_utils.library import library_files

GIB = 1 << 30
# The file of role agent_status for a small host.
BUDGET = {
    "total": 8 * GIB,
    "usable": 8 * GIB,
    "system_reserve": GIB,
    "headroom": GIB,
    "available": 6 * GIB,
    "per_agent": GIB,
    "max_agents": 6,
    "recommended_agents": 5,
    "slots": 2,
    "jobs": 2,
    "limited_by": "MemTotal",
}


@dataclass(frozen=True)
class Status:
    """The program, and its host."""

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
        # It finds processes by their titles, also those of tests that run at the same time.
        for part, kind in itertools.product(("pool", "slots"), ("holders", "waiting")):
            facts[part][kind] = [caller for caller in facts[part][kind] if is_below(caller["pid"])]
        return facts


def is_below(pid: int) -> bool:
    """Whether a process is a descendant of this one."""
    while pid not in (0, 1, os.getpid()):
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return pid == os.getpid()


def install(root: Path) -> Status:
    """Write the program, its library and its policy below ``root``."""
    host = render(root)
    library, policy = host.prefix / "lib/agent_status", host.prefix / "etc/status.json"
    for name, text in library_files("status.command").items():
        path = library / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    policy.parent.mkdir(exist_ok=True)
    policy_of_a_small_host = {
        "group": "root",
        "channel": "1.92.0",
        "toolchain": str(host.prefix / "toolchain"),
        "pool": str(host.pool),
        "count_agents": "accounts",
        "agent_programs": [],
        "memory_hard_limit": 16 * GIB,
        "budget": BUDGET,
    }
    policy.write_text(json.dumps(policy_of_a_small_host))
    text = rendered(template_of("agent_status_template"), {"library": str(library), "policy_file": str(policy)})
    return Status(program(host.prefix / "bin/agent-status", text), policy, host)


@pytest.fixture
def status(tmp_path: Path) -> Status:
    return install(tmp_path)
