# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Run ansible-playbook with the collection that the tests import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# .../ansible_collections/nova/agent_host/tests/unit/playbooks/ansible_playbook.py
COLLECTIONS = Path(__file__).parents[6]


def start(*arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["ansible-playbook", *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ansible_playbook(
    *arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it. Return its exit code and output, also after a failure."""
    play = start(*arguments, cwd=cwd, environment=environment)
    stdout, stderr = play.communicate()
    return subprocess.CompletedProcess(play.args, play.returncode, stdout, stderr)
