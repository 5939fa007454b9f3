# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""agent-sweep and agent-audit-log as commands: exit status, text, JSON, and permissions."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from .conftest import OWNER, Lab, give, library_files

FILES = Path(__file__).parents[3] / "roles" / "agent_hygiene" / "files"


class Installed:
    """The programs below a prefix, as the role installs them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.prefix = lab.home.with_suffix(".prefix")
        for name in ("agent-sweep", "agent-audit-log"):
            self._write(f"bin/{name}", (FILES / name).read_text(), 0o755)
        for module in ("hygiene.sweep_cli", "hygiene.audit_log_cli"):
            for name, text in library_files(module).items():
                self._write(f"lib/agent_hygiene/{name}", text, 0o644)
        self.report = self.prefix / "targets.json"
        self.log = lab.home / "audit.log"
        policy = {
            "target_max": "1K", "workspaces": [f"{lab.home}/*"], "group": "nogroup", "free_min": "0", "free_goal": "0",
            "report": str(self.report), "audit_logs": [{"path": str(self.log), "owner": OWNER}],
        }  # fmt: skip
        self._write("etc/hygiene.json", json.dumps(policy), 0o600)

    def _write(self, path: str, text: str, mode: int) -> None:
        place = self.prefix / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def run(
        self, program: str, *arguments: str, user: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.prefix / "bin" / program, *arguments],
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            user=user,
            cwd="/",
        )


@pytest.fixture
def installed(lab: Lab) -> Installed:
    return Installed(lab)


def test_sweep_prints_a_line_for_each_folder_and_writes_its_report(installed: Installed) -> None:
    workspace = installed.lab.crate()
    installed.lab.crate("small", size=0)
    size = int(subprocess.run(["du", "-sb", workspace / "target"], capture_output=True, text=True).stdout.split()[0])
    done = installed.run("agent-sweep", TARGET_MAX_GB="")
    home = installed.lab.home
    assert done.stdout.splitlines()[0] == f"{home}/nova/target: 0 MiB of 0 MiB; cleaned, freed 0 MiB ({size} bytes)"
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(installed.report.read_text())
    found = {folder["path"]: (folder["owner"], folder["bytes"]) for folder in report["folders"]}
    assert (found[f"{home}/nova/target"], len(found)) == ((OWNER, 0), 2)
    assert report["last"]["freed"] >= size
    assert stat.S_IMODE(installed.report.stat().st_mode) == 0o644


def test_json_is_one_document_and_a_dry_run_writes_no_report(installed: Installed) -> None:
    installed.lab.crate()
    done = installed.run("agent-sweep", "--json", "--dry-run")
    document = json.loads(done.stdout)
    assert (document["target_max"], document["freed"], document["dry_run"]) == (1024, 0, True)
    assert document["folders"][0]["outcome"] == "over"
    assert not installed.report.exists()


def test_target_max_gb_overrides_the_policy_and_is_checked(installed: Installed) -> None:
    installed.lab.crate()
    assert json.loads(installed.run("agent-sweep", "--json", "-n", TARGET_MAX_GB="3").stdout)["target_max"] == 3 << 30
    done = installed.run("agent-sweep", TARGET_MAX_GB="all")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "agent-sweep: TARGET_MAX_GB is 'all'; allowed is a whole number of GiB from 1, such as 100\n"


def test_failed_clean_ends_with_status_1(installed: Installed) -> None:
    workspace = installed.lab.crate()
    (workspace / "target" / "of-root").mkdir()
    (workspace / "target" / "of-root" / "file").touch()
    done = installed.run("agent-sweep")
    assert done.returncode == 1
    assert ": of-root/file: Permission denied" in done.stdout
    assert (workspace / "target" / "of-root" / "file").exists()


def test_sweep_is_refused_while_another_runs(installed: Installed) -> None:
    installed.lab.crate()
    with open(installed.prefix / "etc" / "hygiene.json") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = installed.run("agent-sweep")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "agent-sweep: another sweep is running; see: systemctl status nova-agent-sweep.service\n"


@pytest.mark.parametrize("program", ["agent-sweep", "agent-audit-log"])
def test_only_root_can_run_the_programs(installed: Installed, program: str) -> None:
    done = installed.run(program, user=OWNER)
    assert done.returncode == 2
    assert done.stderr == f"{program}: {installed.prefix}/etc/hygiene.json: Permission denied; run it as root\n"


def test_audit_log_is_created_and_later_corrected_with_a_warning(installed: Installed) -> None:
    assert installed.run("agent-audit-log", "-n").stdout.startswith(f"{installed.log}: is missing; ")
    assert not installed.log.exists()
    assert installed.run("agent-audit-log").stdout.startswith(f"{installed.log}: is missing; ")
    installed.log.chmod(0o640)
    done = installed.run("agent-audit-log")
    assert done.returncode == 0 and done.stdout.startswith(f"warning: {installed.log}: has mode 0640")
    assert stat.S_IMODE(installed.log.stat().st_mode) == 0o600
    done = installed.run("agent-audit-log", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert pwd.getpwuid(installed.log.stat().st_uid).pw_name == OWNER


def test_log_that_cannot_be_corrected_ends_with_status_1(installed: Installed) -> None:
    os.mkfifo(installed.log)
    give(installed.log, OWNER)
    done = installed.run("agent-audit-log", "--json")
    assert done.returncode == 1
    assert [finding["kind"] for finding in json.loads(done.stdout)] == ["refused"]


def test_programs_do_not_write_into_their_libraries(installed: Installed) -> None:
    for program in ("agent-sweep", "agent-audit-log"):
        installed.run(program)
    assert list(installed.prefix.rglob("__pycache__")) == []
