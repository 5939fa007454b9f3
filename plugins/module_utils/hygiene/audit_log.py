# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""AI audit logs hold prompts: each is made, and kept, readable and writable by its owner alone, and so are its
rotations.

A log usually is in a folder of its owner's, who may put anything there: links, pipes, files of others. So nothing is
followed, and a child acts there with no more than the owner's rights, for some seconds.
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

from ansible_collections.nova.agent_host.plugins.module_utils.host.child import Rights, acting_as, each
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.folders import open_folder
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import AuditLog
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.targets import account_name
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import opened_own_folder
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import StateError
from ansible_collections.nova.agent_host.plugins.module_utils.text import LONGEST_PATH, MOST, safe_text

LOG_SECONDS = 10.0
ALL_SECONDS = 60.0
OWNER_ONLY = 0o600
REMEDIES = {"missing": "made, mode 0600", "wide": "narrowed", "foreign": "given to its owner alone"}
LEFT = ("refused", "ownerless")


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be, ``text`` says what. ``kind`` is a key of REMEDIES, or ``refused``: that
    is left as it is, and ``text`` says what to do."""

    path: str
    kind: str
    text: str

    def line(self, repaired: bool) -> str:
        remedy = REMEDIES.get(self.kind)
        done = f"; {remedy if repaired else 'to be ' + remedy}" if remedy else ""
        return f"{safe_text(self.path, LONGEST_PATH)}: {self.text}{done}"


def hold_audit_logs(logs: Sequence[AuditLog], repair: bool = True) -> list[Finding]:
    """Make each log that is missing, and narrow it and its rotations to 0600 of its owner; with ``repair`` false, only
    look. Gives what was wrong, and of what is wrong with many rotations of a log, a few and their number."""

    def failed(log: AuditLog, why: str) -> list[dict[str, str]]:
        return [asdict(Finding(log.path, "refused", f"the look at it {why}"))]

    told = each(
        logs,
        lambda log: [asdict(finding) for finding in _shortened(log.path, _hold(log, repair))],
        failed,
        silence=LOG_SECONDS,
        total=ALL_SECONDS,
    )
    return [Finding(**finding) for findings in told for finding in findings]


def _shortened(path: str, findings: list[Finding]) -> list[Finding]:
    rest = Counter(finding.kind for finding in findings[MOST:])
    return findings[:MOST] + [
        Finding(path, kind, f"and {count:,} more of its rotations") for kind, count in rest.items()
    ]


def _hold(log: AuditLog, repair: bool) -> list[Finding]:
    path, owner = log.path, log.owner
    try:
        account = pwd.getpwnam(owner)
    except KeyError:
        return [Finding(path, "ownerless", f"its owner {owner} is no account of this host: create it, or name another")]
    try:
        folder = open_folder(posixpath.dirname(path))
        ours = _is_root_alone(posixpath.dirname(path), folder)
        with acting_as(Rights.of(os.geteuid() if ours else account.pw_uid)):
            return _Log(path, folder, account, ours, repair).hold()
    except ValueError as error:
        return [Finding(path, "refused", str(error))]
    except OSError as error:
        return [Finding(path, "refused", f"can't be looked at: {error.strerror}")]


def _is_root_alone(path: str, folder: int) -> bool:
    """Whether only root can put anything there: anywhere else the owner's rights are enough, and safe."""
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

    def hold(self) -> list[Finding]:
        base = posixpath.basename(self.path)
        findings = [self._hold(base) if self._exists(base) else self._make(base)]
        # audit.log.1, audit.log-20261123.gz, audit.log.2026-11-23: the same prompts.
        rotation = re.compile(re.escape(base) + r"[.-].+", re.DOTALL)
        try:
            names = sorted(filter(rotation.fullmatch, os.listdir(self.folder)))
        except PermissionError:
            names = []
        findings += [self._hold(name) for name in names]
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
                return self._hold(name)
            except OSError as error:
                who = "root" if self.ours else self.account.pw_name
                return self._finding(
                    name, "refused", f"{who} can't make it: {error.strerror}; let the folder be theirs"
                )
            try:
                if self.ours:
                    os.fchown(file, self.account.pw_uid, self.account.pw_gid)
            finally:
                os.close(file)
        return self._finding(name, "missing", "is missing")

    def _hold(self, name: str) -> Finding | None:
        try:
            # O_PATH opens nothing: no device acts, no pipe waits, and a link is the link itself.
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
        except FileNotFoundError:
            return None  # rotated away meanwhile
        try:
            return self._narrow(name, file)
        except OSError as error:
            return self._finding(name, "refused", f"can't be narrowed: {error.strerror}")
        finally:
            os.close(file)

    def _narrow(self, name: str, file: int) -> Finding | None:
        found = os.fstat(file)
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            what = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no plain file"
            return self._finding(name, "refused", f"is {what}, and is neither followed nor changed: remove it")
        if found.st_uid != self.account.pw_uid:
            told = f"belongs to {account_name(found.st_uid)} and not to {self.account.pw_name}"
            if not self.ours:
                return self._finding(
                    name, "refused", f"{told}, and so does not become theirs: remove it, or name its owner"
                )
            if self.repair:
                os.chmod(f"/proc/self/fd/{file}", mode & OWNER_ONLY)
                os.chown(f"/proc/self/fd/{file}", self.account.pw_uid, self.account.pw_gid)
            return self._finding(name, "foreign", told)
        if mode & ~OWNER_ONLY:
            if self.repair:
                os.chmod(f"/proc/self/fd/{file}", mode & OWNER_ONLY)
            return self._finding(name, "wide", f"has mode {mode:04o}, wider than 0600")
        return None
