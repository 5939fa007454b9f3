# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The members of a group of this host, and the account that logged in."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable

from ..state.look import owner_name

NOBODY = 2**32 - 1  # login uid of processes that no login started


def group_members(group: str) -> list[str] | None:
    """All members of ``group``, including accounts with this primary group. None if the group does not exist."""
    try:
        found = grp.getgrnam(group)
    except KeyError:
        return None
    primary = [account.pw_name for account in pwd.getpwall() if account.pw_gid == found.gr_gid]
    return list(dict.fromkeys([*found.gr_mem, *primary]))


def login_user(root: str = "/") -> str:
    """The account that logged in before sudo or su: from sudo's environment, or else the kernel's login uid."""
    if os.environ.get("SUDO_USER"):
        return os.environ["SUDO_USER"]
    uid = os.getuid()
    try:
        with open(os.path.join(root, "proc/self/loginuid"), encoding="ascii") as file:
            known = int(file.read())
        uid = uid if known == NOBODY else known
    except (OSError, ValueError):
        pass  # a kernel without audit
    return owner_name(uid)


def user_ids(names: Iterable[str]) -> dict[int, str]:
    """The accounts of this host among ``names``, by uid."""
    found = {}
    for name in names:
        try:
            found[pwd.getpwnam(name).pw_uid] = name
        except KeyError:
            continue
    return found
