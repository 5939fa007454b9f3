# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""One controller at a time changes a host. The kernel frees the lock of a killed run."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import StateError

LOCK = "/run/nova-agent.lock"
TIMEOUT = 120.0  # seconds; a run holds it for a few


@contextmanager
def locked(path: str = LOCK, timeout: float = TIMEOUT) -> Iterator[None]:
    """Hold the lock file ``path``. Raises StateError if another run holds it for longer than ``timeout`` seconds."""
    lock = _taken(path, timeout)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)  # nothing of ours is left; a waiter sees that it is gone and makes a new one
        os.close(lock)


def _taken(path: str, timeout: float) -> int:
    deadline = time.monotonic() + timeout
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                return lock
        except FileNotFoundError:
            pass  # the last holder removed it; make a new one
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise StateError(
                    f"{path} is locked by another run for more than {timeout:.0f} s: see who has it with "
                    f"fuser {path}, and end that run or wait for it"
                ) from None
            time.sleep(0.1)
        os.close(lock)
