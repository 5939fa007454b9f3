# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (no AnsibleModule here, whose functions pylint would have)
"""What programs of the host say, asked with patience and in nobody's language."""

from __future__ import annotations

import subprocess

PATIENCE = 20  # seconds for one program: PAM may ask a directory service that is away
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def said(command: list[str]) -> str:
    """Standard output of ``command``. Raises OSError and subprocess.SubprocessError, for which see ``why``."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
        check=True,
        text=True,
        errors="replace",
    )
    return done.stdout


def why(error: Exception) -> str:
    """What went wrong in ``said``, in one line."""
    if isinstance(error, subprocess.CalledProcessError):
        return (
            f"{error.cmd[0]} ended with status {error.returncode}: {(error.stderr or '').strip() or 'it said nothing'}"
        )
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{error.cmd[0]} did not answer within {PATIENCE} s"
    return f"{error}"
