# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""apply_runner.py TREE MIRROR REQUEST [KILL_AT]: one apply in a separate process. Prints the outcome as JSON.

With KILL_AT, SIGKILL ends the whole process group at that change of the file system. Python's audit events count the changes.
With KILL_AT 0, it prints the number of changes, and the number of the last rename.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
from dataclasses import asdict
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import apply as toolchain_apply
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.generation import Source
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request, architecture

CHANGES = ("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "open",
           "subprocess.Popen", "os.truncate")  # fmt: skip


class Killer:
    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0
        self.renamed = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES and not (event == "open" and not self.writes(arguments)):
            self.seen += 1
            if event == "os.rename":
                self.renamed = self.seen
            if self.seen == self.at:
                os.killpg(0, signal.SIGKILL)

    @staticmethod
    def writes(arguments: tuple[Any, ...]) -> bool:
        return bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))


def main(tree: str, mirror: str, request: str, kill_at: str = "") -> None:
    killer = Killer(int(kill_at or 0))
    if kill_at:
        sys.addaudithook(killer)
    wanted = Request.from_options(json.loads(request))
    source = Source(mirror, f"{mirror}/rustup", timeout=60)
    outcome = toolchain_apply.apply(tree, wanted, architecture(platform.machine()), source, 30)
    print(f"{killer.seen} {killer.renamed}" if kill_at else json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main(*sys.argv[1:])
