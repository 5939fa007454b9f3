# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""AI audit logs hold prompts: each is made, and kept, readable and writable by its owner alone, and so are its
rotations.

A log mostly lies in a folder of its owner's, who may put anything there: links, pipes, files of others. So nothing is
followed, and there we act with no more than the owner's rights.
"""

from __future__ import annotations

import os
import posixpath
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.folders import open_folder
from ansible_collections.nova.agent_host.plugins.module_utils.text import LONGEST_PATH, safe_text

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


def hold_audit_log(path: str, owner: str, repair: bool = True) -> list[Finding]:
    """Make ``path`` if it is missing, and narrow it and its rotations to 0600 of ``owner``; with ``repair`` false, only
    tell. Gives what was wrong; empty where all is right."""
    try:
        account = pwd.getpwnam(owner)
    except KeyError:
        return [Finding(path, "ownerless", f"its owner {owner} is no account of this host: create it, or name another")]
    try:
        folder = open_folder(posixpath.dirname(path))
    except ValueError as error:
        return [Finding(path, "refused", str(error))]
    try:
        place = os.fstat(folder)
        # Nobody but root can put anything here; anywhere else the owner's rights are enough, and safe.
        ours = place.st_uid == 0 and not place.st_mode & 0o022
        log = _Log(path, folder, account, ours, repair)
        if not repair or ours:
            return log.hold()
        with acting_as(account):
            return log.hold()
    except OSError as error:
        return [Finding(path, "refused", f"can't be looked at: {error.strerror}")]
    finally:
        os.close(folder)


@contextmanager
def acting_as(account: pwd.struct_passwd) -> Iterator[None]:
    """Use the rights of ``account`` for files. The real uid stays root's, so that the account can't signal us."""
    before = os.geteuid(), os.getegid(), os.getgroups()
    os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])
        os.setgroups(before[2])


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
            told = f"belongs to {_name(found.st_uid)} and not to {self.account.pw_name}"
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


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
