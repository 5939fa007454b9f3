# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""AI audit logs: created and corrected, also in folders of hostile owners."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import time
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import audit_log
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.audit_log import ensure_audit_logs
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import AuditLog
from ansible_collections.nova.agent_host.plugins.module_utils.text import MOST
from ansible_collections.nova.agent_host.plugins.modules import ai_audit_log

from .conftest import OTHER, OWNER, give

PRIVATE = ("-rw-------", OWNER)


def mode_and_owner(path: Path) -> tuple[str, str]:
    found = path.lstat()
    return stat.filemode(found.st_mode), pwd.getpwuid(found.st_uid).pw_name


@pytest.fixture(params=["owner", "root"])
def log(request: pytest.FixtureRequest, home: Path) -> Path:
    """The path of a log, in a folder of its owner and in one of root."""
    if request.param == "owner":
        give(home, OWNER)
    return home / "audit.log"


def findings(log: Path, repair: bool = True, words: str = "") -> list[tuple[str, str]]:
    """File name and kind of each finding, whose text must have all ``words``."""
    found = ensure_audit_logs([AuditLog(str(log), OWNER)], repair)
    assert all(word in one.text for one in found for word in words.split())
    return [(Path(one.path).name, one.kind) for one in found]


def test_missing_log_is_created_for_its_owner_only(log: Path) -> None:
    assert findings(log, repair=False) == [("audit.log", "missing")]
    assert not log.exists()
    assert findings(log) == [("audit.log", "missing")]
    assert mode_and_owner(log) == PRIVATE
    assert findings(log) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o777, 0o4700, 0o604])
def test_wide_permissions_are_corrected_with_a_warning_and_the_content_stays(log: Path, mode: int) -> None:
    log.write_text("prompt")
    give(log, OWNER)
    log.chmod(mode)
    assert findings(log, repair=False, words=f"{mode:04o} 0600") == [("audit.log", "wide")]
    assert stat.S_IMODE(log.stat().st_mode) == mode
    assert findings(log) == [("audit.log", "wide")]
    assert mode_and_owner(log)[1] == OWNER and stat.S_IMODE(log.stat().st_mode) == mode & 0o600
    assert log.read_text() == "prompt"
    assert findings(log) == []


def test_narrow_permissions_stay(log: Path) -> None:
    log.touch(0o400)
    give(log, OWNER)
    assert findings(log) == []
    assert mode_and_owner(log)[0] == "-r--------"


def test_rotated_logs_are_corrected_and_a_new_log_is_created(log: Path) -> None:
    for name in ("audit.log.1", "audit.log-20261123.gz", "audit.log.2026-11-23"):
        (log.parent / name).touch(0o644)
        (log.parent / name).chmod(0o644)
    for name in ("other.log", "audit.logs"):
        (log.parent / name).touch()
        (log.parent / name).chmod(0o644)
    for path in log.parent.iterdir():
        give(path, OWNER)
    assert findings(log) == [
        ("audit.log", "missing"),
        ("audit.log-20261123.gz", "wide"),
        ("audit.log.1", "wide"),
        ("audit.log.2026-11-23", "wide"),
    ]
    assert {path.name for path in log.parent.iterdir() if mode_and_owner(path) == PRIVATE} == {
        "audit.log", "audit.log-20261123.gz", "audit.log.1", "audit.log.2026-11-23",
    }  # fmt: skip


def test_link_is_neither_followed_nor_changed(log: Path) -> None:
    victim = log.parent / "victim"
    victim.write_text("theirs")
    victim.chmod(0o644)
    log.symlink_to(victim)
    assert findings(log, words="link") == [("audit.log", "refused")]
    assert mode_and_owner(victim) == ("-rw-r--r--", "root")


def test_dangling_link_creates_no_file(log: Path) -> None:
    log.symlink_to(log.parent / "made")
    assert [kind for _, kind in findings(log)] == ["refused"]
    assert not (log.parent / "made").exists()


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 3))]
)
def test_special_files_are_refused_without_blocking(log: Path, make) -> None:
    make(log)
    before = mode_and_owner(log)
    assert findings(log) == [("audit.log", "refused")]
    assert mode_and_owner(log) == before


def test_link_in_the_path_is_not_followed(log: Path) -> None:
    link = log.parent.with_suffix(".link")
    link.symlink_to(log.parent)
    (finding,) = ensure_audit_logs([AuditLog(str(link / "audit.log"), OWNER)])
    assert finding.text.startswith(f"{link} is a symbolic link to ")
    assert not log.exists()


def test_foreign_file_in_the_folder_of_the_owner_is_not_changed(home: Path) -> None:
    give(home, OWNER)
    (home / "audit.log").write_text("secret")
    give(home / "audit.log", OTHER)
    os.link(home / "audit.log", home / "audit.log.1")
    found = findings(home / "audit.log", words=f"{OTHER} {OWNER}")
    assert found == [("audit.log", "refused"), ("audit.log.1", "refused")]
    assert mode_and_owner(home / "audit.log") == ("-rw-r--r--", OTHER)


def test_log_created_for_root_by_a_rotation_is_given_to_its_owner(home: Path) -> None:
    (home / "audit.log").touch()
    (home / "audit.log").chmod(0o640)
    assert findings(home / "audit.log", words=f"root {OWNER}") == [("audit.log", "foreign")]
    assert mode_and_owner(home / "audit.log") == PRIVATE


def test_folder_of_root_writable_for_others_is_not_trusted(home: Path) -> None:
    home.chmod(0o1777)
    (home / "audit.log").touch()
    assert [kind for _, kind in findings(home / "audit.log")] == ["refused"]
    assert mode_and_owner(home / "audit.log")[1] == "root"
    assert findings(home / "new.log") == [("new.log", "missing")]
    assert mode_and_owner(home / "new.log") == PRIVATE


def test_file_replaced_by_a_link_after_the_check_is_not_followed(home: Path, monkeypatch) -> None:
    give(home, OWNER)
    victim = home.with_suffix(".victim")
    victim.touch()
    victim.chmod(0o644)
    log = home / "audit.log"
    log.touch()
    log.chmod(0o644)
    give(log, OWNER)
    real = os.chmod

    def swap(path, mode, **options):
        monkeypatch.setattr(os, "chmod", real)
        log.rename(home / "was")
        log.symlink_to(victim)
        real(path, mode, **options)

    monkeypatch.setattr(os, "chmod", swap)
    findings(log)
    assert mode_and_owner(victim)[0] == "-rw-r--r--"
    assert mode_and_owner(home / "was") == PRIVATE


def test_own_rights_are_restored(log: Path) -> None:
    before = os.geteuid(), os.getegid(), sorted(os.getgroups())
    findings(log)
    assert (os.geteuid(), os.getegid(), sorted(os.getgroups())) == before


def test_missing_folder_and_unknown_owner_are_reported(home: Path) -> None:
    gone = home / "gone"
    assert findings(gone / "audit.log", words=str(gone)) == [("audit.log", "refused")]
    (finding,) = ensure_audit_logs([AuditLog(str(home / "audit.log"), "no-such-account")])
    assert finding.kind == "ownerless" and "no-such-account" in finding.text
    shutil.rmtree(gone, ignore_errors=True)


def test_findings_of_many_rotations_are_limited_and_counted(log: Path) -> None:
    log.touch()
    for number in range(3000):
        (log.parent / f"audit.log.{number}").symlink_to("/etc/shadow")
    give(log.parent, OWNER) if log.parent.stat().st_uid else give(log, OWNER)
    log.chmod(0o600)
    found = ensure_audit_logs([AuditLog(str(log), OWNER)])
    assert len(found) == MOST + 1
    assert f"{3000 - MOST:,}" in found[-1].text


def test_silent_folder_does_not_block_other_logs(home: Path, monkeypatch) -> None:
    listed = os.listdir

    def hang(folder: int | str) -> list[str]:
        if isinstance(folder, int) and os.readlink(f"/proc/self/fd/{folder}").endswith("/one"):
            time.sleep(3600)
        return listed(folder)

    logs = []
    for name in ("one", "two"):
        (home / name).mkdir()
        give(home / name, OWNER)
        logs.append(AuditLog(str(home / name / "audit.log"), OWNER))
    monkeypatch.setattr(audit_log, "LOG_SECONDS", 3)
    monkeypatch.setattr(os, "listdir", hang)
    assert [finding.kind for finding in ensure_audit_logs(logs)] == ["refused", "missing"]
    assert mode_and_owner(home / "two" / "audit.log") == PRIVATE


def test_folder_of_root_below_a_foreign_folder_is_not_trusted(home: Path) -> None:
    """Its owner can replace it while root works in it."""
    (home / "logs").mkdir()
    (home / "logs" / "audit.log").write_text("secret")
    os.chown(home, pwd.getpwnam(OWNER).pw_uid, 0)
    assert [kind for _, kind in findings(home / "logs" / "audit.log")] == ["refused"]
    assert mode_and_owner(home / "logs" / "audit.log")[1] == "root"


def test_answer_of_the_module_is_valid_json_and_printable(log: Path, capfdbinary) -> None:
    log.write_text("prompt")
    (log.parent / os.fsdecode(b"audit.log.\xff\x1b[31m")).symlink_to("/etc/shadow")
    for number in range(100):
        (log.parent / f"audit.log.{number}").symlink_to("/etc/shadow")
    give(log.parent, OWNER)
    with patch_module_args({"logs": [{"path": str(log), "owner": OWNER}]}), pytest.raises(SystemExit):
        ai_audit_log.main()
    answer = json.loads(capfdbinary.readouterr().out.decode("utf-8"))
    assert len(answer["findings"]) == MOST + 1
    everything = json.dumps(answer, ensure_ascii=False).replace("\\n", "")
    assert everything.isprintable()
