# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""vm.sh without a virtual machine: the error if it can't install packages, and the cleanup after a killed run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

VM = Path(__file__).parents[2] / "tools/vm/vm.sh"
PROGRAMS = ("bash", "basename", "cat", "dirname", "env", "flock", "grep", "mkdir", "rm", "sleep", "tr", "uname")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="vm.sh builds its image as root")


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without emulator and apt-get, and with an empty cache."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for program in PROGRAMS:
        (tools / program).symlink_to(Path(str(shutil.which(program))).resolve())
    return {"PATH": str(tools), "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}


def up(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VM, "up", "new"], check=False, text=True, capture_output=True, env=environment)


def test_package_that_cannot_be_installed_is_named(bare: dict[str, str]) -> None:
    done = up(bare)
    assert done.returncode == 1
    assert "qemu-system-x86" in done.stderr and "apt-get" in done.stderr


def leftover_machine(cache: str, name: str, owner: str) -> tuple[Path, subprocess.Popen[bytes]]:
    """The folder of a machine, and a STAND-IN for its emulator."""
    script = f"exec -a 'qemu-system-x86_64 -name {name} ' sleep 1000"
    emulator = subprocess.Popen(["bash", "-c", script])
    folder = Path(cache, "nova-agent-host/vm/machines", name)
    folder.mkdir(parents=True)
    (folder / "pid").write_text(f"{emulator.pid}\n")
    (folder / "owner").write_text(f"{owner}\n")
    return folder, emulator


def test_machine_of_a_killed_run_is_ended_by_the_next_and_others_stay(bare: dict[str, str]) -> None:
    start_time = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    old, old_emulator = leftover_machine(
        bare["XDG_CACHE_HOME"], "old", f"{os.getpid()} 1"
    )  # a process of this number, started later
    other, other_emulator = leftover_machine(bare["XDG_CACHE_HOME"], "other", f"{os.getpid()} {start_time}")
    up(bare)
    assert old_emulator.wait() == -15
    assert not old.exists()
    assert other.exists() and other_emulator.poll() is None
    other_emulator.kill()
    other_emulator.wait()
