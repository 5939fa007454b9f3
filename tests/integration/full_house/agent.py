# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""agent.py NUMBER: the work of an agent after its login. Runs on the host as the agent.

It watches files like a language server, starts the threads of a test pool, and builds a real workspace with the wrapper:
`cargo check` of one crate; each tenth account checks all crates, each thirtieth tests one. It ends as cargo does.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

WRAPPER = "/opt/nova-agent/bin/cargo_agent.sh"
CRATES = 8  # without dependencies, so no registry is needed
MANIFEST = '[package]\nname = "part{}"\nversion = "0.1.0"\nedition = "2021"\n'
SOURCE = "pub fn two() -> u32 { 2 }\n#[test]\nfn adds() { assert_eq!(two(), 1 + 1) }\n"
WATCHERS, THREADS = 20, 64
CREATED_OR_CHANGED = 0x102


def workspace(folder: Path) -> None:
    for number in range(1, CRATES + 1):
        part = folder / f"part{number}"
        (part / "src").mkdir(parents=True)
        (part / "Cargo.toml").write_text(MANIFEST.format(number))
        (part / "src" / "lib.rs").write_text(SOURCE)
    (folder / "Cargo.toml").write_text('[workspace]\nresolver = "2"\nmembers = ["part*"]\n')


def watch(folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for _ in range(WATCHERS):
        watcher = libc.inotify_init()
        if watcher < 0 or libc.inotify_add_watch(watcher, os.fsencode(folder), CREATED_OR_CHANGED) < 0:
            raise OSError(ctypes.get_errno(), "inotify")


def command(number: int) -> list[str]:
    if number % 30 == 0:
        return ["test", "-p", "part1"]
    return ["check", "--workspace"] if number % 10 == 0 else ["check", "-p", "part1"]


def main(number: int) -> int:
    place = Path.home() / "workspace"
    workspace(place)
    watch(place)
    done = threading.Event()
    pool = [threading.Thread(target=done.wait, daemon=True) for _ in range(THREADS)]
    for thread in pool:
        thread.start()
    status = subprocess.run(["bash", WRAPPER, *command(number), "--offline"], cwd=place, check=False).returncode
    done.set()
    return status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
