# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The limits that PAM sets for a session. PAM itself sets them in a child; no process has the account's rights."""

from __future__ import annotations

import ctypes
import resource

from .child import answer

# Items of limits.conf, and the kernel's number of each. Python has none for locks.
LIMITS = {
    item: getattr(resource, f"RLIMIT_{item.upper()}", 10)
    for item in (
        *("as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nofile", "nproc", "rss", "rtprio"),
        *("sigpending", "stack"),
    )
}
LIBRARY = "libpam.so.0"
SILENT = 0x8000
CONVERSATION_ERROR = 19
SUCCESS = 0

_Talk = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class _Conversation(ctypes.Structure):
    _fields_ = (("talk", _Talk), ("data", ctypes.c_void_p))


def session_limits(user: str, service: str, seconds: float, folder: str | None = None) -> dict[str, list[int | None]]:
    """``{"as": [soft, hard], ...}`` of a new session of ``user`` in ``service``; None: no limit. ``folder`` replaces
    /etc/pam.d.

    pam_limits changes the limits of the process that opens the session: a child of root, which then reads its limits.
    Raises ChildError.
    """
    given: dict[str, list[int | None]] = answer(lambda: _open(user, service, folder), seconds=seconds, limited=False)
    return given


def _open(user: str, service: str, folder: str | None) -> dict[str, list[int | None]]:
    pam = ctypes.CDLL(LIBRARY)
    pam.pam_strerror.restype = ctypes.c_char_p
    conversation = _Conversation(_Talk(lambda *_: CONVERSATION_ERROR))
    handle = ctypes.c_void_p()
    start = [service.encode(), user.encode(), ctypes.byref(conversation)]
    if folder is None:
        status = pam.pam_start(*start, ctypes.byref(handle))
    else:
        status = pam.pam_start_confdir(*start, folder.encode(), ctypes.byref(handle))
    if status == SUCCESS:
        status = pam.pam_open_session(handle, SILENT)
    if status != SUCCESS:
        why = pam.pam_strerror(handle, status).decode(errors="replace")
        raise OSError(status, f"PAM opens no session for {user}: {why}")
    found = {name: [_value(number) for number in resource.getrlimit(item)] for name, item in LIMITS.items()}
    pam.pam_close_session(handle, SILENT)
    pam.pam_end(handle, SUCCESS)
    return found


def _value(number: int) -> int | None:
    return None if number == resource.RLIM_INFINITY else number
