# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What costs a few processes for each agent: the limits of a new login, and toolchains that agents installed."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterable

from ansible_collections.nova.agent_host.plugins.module_utils.host.limits import read_limits
from ansible_collections.nova.agent_host.plugins.module_utils.host.logins import why_without_limits
from ansible_collections.nova.agent_host.plugins.module_utils.host.programs import said, why
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Deep, Login
from ansible_collections.nova.agent_host.plugins.module_utils.text import safe_text

TRIED_BY = "runuser"
OWN_RUSTUP = (".cargo/bin/cargo", ".cargo/bin/rustup", ".rustup")


def observe_deep(users: Iterable[str]) -> Deep:
    names = list(users)
    return Deep({user: observe_login(user) for user in names}, observe_own_rustups(names))


def observe_login(user: str, root: str = "/") -> Login:
    """What PAM gives a new session of ``user``. runuser's PAM service does little beside pam_limits."""
    if missing := why_without_limits(TRIED_BY, root):  # else every limit would seem to be missing
        return Login(error=missing)
    try:
        return Login(read_limits(said([TRIED_BY, "-u", user, "--", "cat", "/proc/self/limits"])))
    except (OSError, subprocess.SubprocessError) as error:
        return Login(error=safe_text(why(error)))


def observe_own_rustups(users: Iterable[str]) -> dict[str, list[str]]:
    """Only accounts that have any."""
    found = {}
    for user in users:
        paths = [os.path.join(pwd.getpwnam(user).pw_dir, name) for name in OWN_RUSTUP]
        there = [path for path in paths if os.path.lexists(path)]
        if there:
            found[user] = there
    return found
