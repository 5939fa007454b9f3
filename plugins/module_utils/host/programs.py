# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (runs without AnsibleModule)
"""Run a program of the host with LC_ALL=C and a time limit."""

from __future__ import annotations

import subprocess

TIMEOUT = 20  # seconds for one program
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def run(command: list[str]) -> str:
    """Return the standard output of ``command``. Raises OSError and subprocess.SubprocessError."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=TIMEOUT,
        check=True,
        text=True,
        errors="replace",
    )
    return done.stdout


def describe_error(error: Exception) -> str:
    """Return the reason why ``run`` failed, in one line."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"{error.cmd[0]} ended with status {error.returncode}: {(error.stderr or '').strip() or 'no message'}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{error.cmd[0]} did not answer within {TIMEOUT} s"
    return f"{error}"
