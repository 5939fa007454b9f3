# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""rounds.py COUNT [equal]: an agent that uses more memory than its compiler, and a wrapped compiler that gets too little.
Prints the number of rounds that the agent survived. With "equal" the compiler resets its oom_score_adj to that of the agent.

`rounds.py compiler [equal]` is a STAND-IN for rustc.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

AGENT_MIB, COMPILER_MIB, CAP = 460, 420, "480M"
# A STAND-IN for cargo.
CARGO = f"""#!/bin/bash
exec "$RUSTC_WRAPPER" python3 {os.path.realpath(__file__)} compiler $SCORE --crate-name x --crate-type lib
"""


def kills() -> int:
    """The number of processes that the kernel killed because memory was short, with or without a ceiling."""
    return int(re.findall(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)[0])


def compiler(equal: bool) -> None:
    if equal:
        Path("/proc/self/oom_score_adj").write_text("0")
    bytes(b"x" * (COMPILER_MIB << 20))


class Agent:
    """A process that holds memory and does nothing."""

    def __init__(self) -> None:
        script = f"held = b'x' * ({AGENT_MIB} << 20); print(flush=True); input()"
        self._process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._process.stdout.readline()  # now it has all its memory

    def lives(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def main(count: int, equal: str) -> int:
    tools = Path.home() / "stand-ins"
    tools.mkdir(exist_ok=True)
    cargo = tools / "cargo"
    cargo.write_text(CARGO)
    cargo.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "NOVA_CARGO_LIMIT_AS": CAP}
    agent, survived = Agent(), 0
    for _ in range(count):
        if not agent.lives():
            agent = Agent()
        before = kills()
        subprocess.run(
            ["bash", "/opt/nova-agent/bin/cargo_agent.sh", "build"],
            check=False, cwd=Path.home(), env={**environment, "SCORE": equal}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert kills() > before, "no process was killed"
        survived += agent.lives()
    agent.end()
    return survived


if __name__ == "__main__":
    if sys.argv[1] == "compiler":
        compiler(sys.argv[2] == "equal")
    else:
        print(main(int(sys.argv[1]), "equal" if sys.argv[2:] else ""))
