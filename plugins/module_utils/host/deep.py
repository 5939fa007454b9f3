# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Facts that need extra processes: limits of a login, toolchains that agents installed, waiting times of agents.

Only an audit reads them, because each agent needs one or two processes. No process has the agent's real user id.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable

from ..observed.shapes import Deep, Login
from .child import ChildError, Rights, SilentError, acting_as, each, shorter
from .ledger import read_ledger
from .logins import why_without_limits
from .members import user_ids
from .pam import session_limits

TRIED_BY = "runuser"
LOGIN_SECONDS = 10.0  # PAM may wait for a directory service that does not answer
HOME_SECONDS = 5
HOMES_SECONDS = 60
OWN_RUSTUP = (".cargo/bin/cargo", ".cargo/bin/rustup", ".rustup")


def observe_deep(users: Iterable[str]) -> Deep:
    names = list(users)
    ledger = read_ledger(user_ids(names))
    return Deep(observe_logins(names), observe_own_rustups(names), ledger["waits"] if ledger else None)


def observe_logins(users: Iterable[str], root: str = "/") -> dict[str, Login]:
    """The limits that PAM sets for a new session of each account. runuser's service has few other PAM modules.
    Each session that does not open halves the time for those after it."""
    seconds = LOGIN_SECONDS
    logins = {}
    for user in users:
        try:
            logins[user] = _login(user, root, seconds)
        except ChildError as error:
            logins[user] = Login(error=f"{TRIED_BY} for {user}: {error}")
            seconds = shorter(seconds) if isinstance(error, SilentError) else seconds
    return logins


def _login(user: str, root: str, seconds: float) -> Login:
    if missing := why_without_limits(TRIED_BY, root):  # otherwise all limits would seem to be missing
        return Login(error=missing)
    folder = None if root == "/" else os.path.join(root, "etc/pam.d")
    return Login(session_limits(user, TRIED_BY, seconds, folder))


def observe_own_rustups(users: Iterable[str]) -> dict[str, list[str]]:
    """Toolchains in the homes of accounts, by account. A home is read with its owner's rights, because it can have
    links and mounts. A home that does not answer is left out."""
    names = list(users)
    found = each(names, _own_rustups, lambda _user, _why: [], silence=HOME_SECONDS, total=HOMES_SECONDS)
    return {user: paths for user, paths in zip(names, found) if paths}


def _own_rustups(user: str) -> list[str]:
    account = pwd.getpwnam(user)
    paths = [os.path.join(account.pw_dir, name) for name in OWN_RUSTUP]
    with acting_as(Rights.of(account.pw_uid)):
        return [path for path in paths if os.path.lexists(path)]
