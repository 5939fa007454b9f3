# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Run commands, print progress, and fail with one line."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence


class HostsError(Exception):
    """An error that the user can correct. The message is one line."""


def say(message: str) -> None:
    """Print one line of progress (standard output is for results)."""
    print(f"test hosts: {message}", file=sys.stderr, flush=True)


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, check: bool = True) -> str:
    """Run a command, and return its standard output.

    If the command fails, raise HostsError with its last lines. With check=False, return an empty text instead, also if the
    program is missing.
    """
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False)
    except FileNotFoundError as error:
        if not check:
            return ""
        raise HostsError(f"{command[0]} is not installed") from error
    if done.returncode == 0:
        return done.stdout
    if not check:
        return ""
    last_lines = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
    started_as = textwrap.shorten(" ".join(command), 160, placeholder=" ...")
    raise HostsError(f"`{started_as}` failed ({done.returncode}):\n{last_lines}")
