# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""One run at a time in a toolchain tree: two controllers, or a controller and ansible-pull, wait for each other."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.state import LOCK

INTERVAL = 0.1  # seconds between two looks while another run installs, which takes many


class LockError(Exception):
    """The lock was not to be had in time; the message names the file, the holder and the option."""


@contextmanager
def locked(folder: str, patience: float) -> Iterator[int]:
    """Hold the lock of the generations in ``folder``, waiting up to ``patience`` seconds; yields its descriptor.

    A child that inherits the descriptor keeps the lock, so that a rustup whose module was killed is not disturbed.
    The file is 0600: who may open it could hold it. The kernel frees the lock of a killed run. Raises LockError.
    """
    path = os.path.join(folder, LOCK)
    deadline = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if _taken(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                yield descriptor
                return
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
        finally:
            os.close(descriptor)
        if time.monotonic() >= deadline:
            raise LockError(
                f"{path} has been held for {patience:g} s by another run (process {holder}): "
                "wait until it has ended, or raise lock_timeout"
            )
        time.sleep(INTERVAL)


def _taken(descriptor: int, path: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:  # the run before us may have removed the whole tree, and the lock file with it
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
