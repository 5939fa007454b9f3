# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""load.py WORKERS FILE SECONDS: processes that request memory up to their limit, and are started again if they are killed.

Ends when FILE exists, and always after SECONDS, because a host that does not answer can't be stopped.
"""

from __future__ import annotations

import os
import signal
import sys
import time

CHUNK = 1 << 20


def use_memory() -> None:
    held = []
    try:
        while True:
            held.append(b"x" * CHUNK)  # every page is written, so all pages are resident
    except MemoryError:
        signal.pause()


def start() -> int:
    pid = os.fork()
    if pid == 0:
        use_memory()
    return pid


def main() -> None:
    deadline = time.monotonic() + float(sys.argv[3])
    pids = {start() for _ in range(int(sys.argv[1]))}
    while not os.path.exists(sys.argv[2]) and time.monotonic() < deadline:
        time.sleep(0.5)
        for pid in list(pids):
            if os.waitpid(pid, os.WNOHANG)[0]:
                pids.remove(pid)
                pids.add(start())
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
