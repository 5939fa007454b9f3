# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""An apply installs another version of the programs while they run: each process ends with the version with which it started."""

from __future__ import annotations

from pathlib import Path

from .bench import HOLD, REFUSED, bench, pool
from .host import FREE, GUARD, SLOTS, Host, eventually, program


def replace_gate(host: Host) -> None:
    """Like an apply: a new file is renamed to the old path. The new version has no function of the old one."""
    for file in (*host.libexec.glob("memory?gate*"), *host.libexec.glob("cargo?command*")):
        program(host.root / "new", "#!/usr/bin/perl\nexit 77;\n").rename(file)


def test_failed_process_is_reported(tmp_path: Path) -> None:
    with bench(pool(tmp_path, 4)) as made:
        process = made.start(f"{HOLD}; {REFUSED}", "serde")
        made.hold_process("serde")
        replace_gate(made.host)
        made.release()
        _, err = process.communicate(timeout=GUARD)
        assert process.returncode == 134
        assert err.splitlines()[-1].startswith("cargo_agent: rustc serde said ")


def test_process_that_waited_for_a_slot_waits_for_memory(tmp_path: Path) -> None:
    with bench(pool(tmp_path, 16, slots=1)) as made:
        made.hold()
        waits = made.start(name="waits", NOVA_CARGO_LIMIT_AS="8G")
        eventually(lambda: made.waiting(SLOTS) == 1)
        take = f"semop {made.host.set}, pack 's!*', {FREE}, -{made.host.value(FREE)}, 010000; syswrite STDOUT, qq(x\\n); sleep 1000"
        with made.host.start("perl", "-e", take) as other:
            assert other.stdout and other.stdout.readline() == "x\n"
            replace_gate(made.host)
            made.release()
            eventually(lambda: made.waiting(FREE) == 1 or waits.poll() is not None)
            other.kill()
        assert (*waits.communicate(timeout=GUARD), waits.returncode) == ("", "", 0)
        assert made.lines("started") == ["holder", "waits"]
