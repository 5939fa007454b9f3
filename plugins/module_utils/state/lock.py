# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""One controller at a time changes a host, and one run at a time installs a toolchain.

The kernel frees the lock of a killed run. A child that inherits the descriptor keeps the lock, so rustup is not
disturbed if the module that started it is killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .paths import StateError

LOCK = "/run/nova-agent.lock"
TIMEOUT = 120.0  # seconds; a run needs a few
INTERVAL = 0.1  # seconds between two attempts
FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def locked(
    path: str = LOCK, timeout: float = TIMEOUT, remedy: str = "end that run, or wait for it", keep: bool = False
) -> Iterator[int]:
    """Lock the file ``path``, and yield its descriptor. The file is removed afterwards, except with ``keep``.

    Raises StateError after ``timeout`` seconds. Mode 0600, because an account that can open the file can lock it.
    """
    deadline = time.monotonic() + timeout
    while True:
        lock = os.open(path, FLAGS, 0o600)
        try:
            if _is_ours(lock, path):
                os.ftruncate(lock, 0)
                os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
                try:
                    yield lock
                finally:
                    if not keep:
                        with suppress(FileNotFoundError):
                            os.unlink(path)
                return
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        finally:
            os.close(lock)
        if time.monotonic() >= deadline:
            raise StateError(f"{path} has been locked for {timeout:g} s by another run (process {holder}): {remedy}")
        time.sleep(INTERVAL)


def _is_ours(lock: int, path: str) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), os.stat(path))
    except (BlockingIOError, FileNotFoundError):  # locked by another run, or removed by the last one
        return False
