# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Create AI audit logs, and give them and their rotations mode 0600, because they contain prompts.

A log is usually in a folder of its owner, who can create links, pipes and other files there. So no link is followed,
and a child with only the owner's rights and a time limit does the work.
"""

from __future__ import annotations

import os
import posixpath
import pwd
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..host.child import Rights, acting_as, each
from ..state.look import opened_own_folder
from ..state.paths import StateError
from ..text import LONGEST_PATH, MOST, safe_text
from .folders import opened_path
from .policy import AuditLog
from .targets import account_name

LOG_SECONDS = 10.0
ALL_SECONDS = 60.0
OWNER_ONLY = 0o600
REMEDIES = {"missing": "created with mode 0600", "wide": "changed to 0600", "foreign": "given to its owner"}
LEFT = ("refused", "ownerless")


@dataclass(frozen=True)
class Finding:
    """A problem, described by ``text``. ``kind`` is a key of REMEDIES, or one of LEFT: then nothing is changed, and
    ``text`` says what to do."""

    path: str
    kind: str
    text: str

    def line(self, repaired: bool) -> str:
        remedy = REMEDIES.get(self.kind)
        done = f"; {remedy if repaired else 'would be ' + remedy}" if remedy else ""
        return f"{safe_text(self.path, LONGEST_PATH)}: {self.text}{done}"


def ensure_audit_logs(logs: Sequence[AuditLog], repair: bool = True) -> list[Finding]:
    """Create missing logs, and correct owner and mode of logs and rotations. Without ``repair``, only look.

    Returns the problems. If many rotations of a log are wrong, some are listed and the others are counted."""

    def failed(log: AuditLog, why: str) -> list[dict[str, str]]:
        return [asdict(Finding(log.path, "refused", f"the check {why}"))]

    found = each(
        logs,
        lambda log: [asdict(finding) for finding in _shortened(log.path, _ensure(log, repair))],
        failed,
        silence=LOG_SECONDS,
        total=ALL_SECONDS,
    )
    return [Finding(**finding) for findings in found for finding in findings]


def _shortened(path: str, findings: list[Finding]) -> list[Finding]:
    rest = Counter(finding.kind for finding in findings[MOST:])
    return findings[:MOST] + [Finding(path, kind, f"and {count:,} more rotations") for kind, count in rest.items()]


def _ensure(log: AuditLog, repair: bool) -> list[Finding]:
    path, owner = log.path, log.owner
    try:
        account = pwd.getpwnam(owner)
    except KeyError:
        return [Finding(path, "ownerless", f"this host has no account {owner}: create it, or set another owner")]
    try:
        with opened_path(posixpath.dirname(path)) as folder:
            ours = _is_root_alone(posixpath.dirname(path), folder)
            with acting_as(Rights.of(os.geteuid() if ours else account.pw_uid)):
                return _Log(path, folder, account, ours, repair).ensure()
    except ValueError as error:
        return [Finding(path, "refused", str(error))]
    except OSError as error:
        return [Finding(path, "refused", f"can't be checked: {error.strerror}")]


def _is_root_alone(path: str, folder: int) -> bool:
    """Whether only root can change the folder. In other folders the owner's rights are used."""
    try:
        with opened_own_folder(path) as own:
            return os.path.samestat(os.fstat(own), os.fstat(folder))
    except (StateError, OSError):
        return False


@dataclass(frozen=True)
class _Log:
    path: str
    folder: int
    account: pwd.struct_passwd
    ours: bool
    repair: bool

    def ensure(self) -> list[Finding]:
        base = posixpath.basename(self.path)
        findings = [self._ensure(base) if self._exists(base) else self._make(base)]
        # audit.log.1, audit.log-20261123.gz, audit.log.2026-11-23
        rotation = re.compile(re.escape(base) + r"[.-].+", re.DOTALL)
        try:
            names = sorted(filter(rotation.fullmatch, os.listdir(self.folder)))
        except PermissionError:
            names = []
        findings += [self._ensure(name) for name in names]
        return [finding for finding in findings if finding]

    def _exists(self, name: str) -> bool:
        try:
            os.lstat(name, dir_fd=self.folder)
        except FileNotFoundError:
            return False
        return True

    def _finding(self, name: str, kind: str, text: str) -> Finding:
        return Finding(posixpath.join(posixpath.dirname(self.path), name), kind, text)

    def _make(self, name: str) -> Finding | None:
        if self.repair:
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                file = os.open(name, flags, OWNER_ONLY, dir_fd=self.folder)
            except FileExistsError:
                return self._ensure(name)
            except OSError as error:
                who = "root" if self.ours else self.account.pw_name
                return self._finding(
                    name, "refused", f"{who} can't create it: {error.strerror}; change the owner of the folder"
                )
            try:
                if self.ours:
                    os.fchown(file, self.account.pw_uid, self.account.pw_gid)
            finally:
                os.close(file)
        return self._finding(name, "missing", "is missing")

    def _ensure(self, name: str) -> Finding | None:
        try:
            # O_PATH: no device or pipe is opened, and no link is followed.
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
        except FileNotFoundError:
            return None  # rotated meanwhile
        try:
            return self._narrow(name, file)
        except OSError as error:
            return self._finding(name, "refused", f"can't be changed to 0600: {error.strerror}")
        finally:
            os.close(file)

    def _narrow(self, name: str, file: int) -> Finding | None:
        found = os.fstat(file)
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
            return self._finding(name, "refused", f"is {what}, and is not changed: remove it")
        if found.st_uid != self.account.pw_uid:
            text = f"belongs to {account_name(found.st_uid)}, not to {self.account.pw_name}"
            if not self.ours:
                return self._finding(name, "refused", f"{text}, and is not changed: remove it, or set this owner")
            if self.repair:
                os.chmod(f"/proc/self/fd/{file}", mode & OWNER_ONLY)
                os.chown(f"/proc/self/fd/{file}", self.account.pw_uid, self.account.pw_gid)
            return self._finding(name, "foreign", text)
        if mode & ~OWNER_ONLY:
            if self.repair:
                os.chmod(f"/proc/self/fd/{file}", mode & OWNER_ONLY)
            return self._finding(name, "wide", f"has mode {mode:04o}, which is wider than 0600")
        return None
