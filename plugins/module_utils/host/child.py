# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (programs of the host use it without AnsibleModule)
"""Run work with a time limit, and with the rights of an account, in a child process that can be killed.

The child keeps root's real and saved user id. While it works for an account, its effective user id is the account's:
the kernel then checks each file access with the account's rights. The account can't signal, trace or limit the child,
because kill(2), ptrace(2) and prlimit(2) check the real and saved ids.
"""

from __future__ import annotations

import json
import os
import pwd
import resource
import select
import signal
import syslog
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Callable, NoReturn, TypeVar

Item = TypeVar("Item")

MEMORY = 2 << 30  # address space of a child; a module needs less than a tenth of it
FILE_SIZE = 64 << 20  # bytes of the largest file that a child may write
MOST_BYTES = 64 << 20  # of one answer
PATIENCE = 1.0  # seconds after SIGKILL; then a child that hangs in a file system is no longer waited for
NO_GROUP = 65534  # the group of a user id without an account
LEAST_SILENCE = 0.25  # seconds for an item, after many items did not answer


class ChildError(Exception):
    """The child failed. The message has the reason."""


class SilentError(ChildError):
    """The child did not answer in time."""


@dataclass(frozen=True)
class Rights:
    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    @classmethod
    def of(cls, uid: int) -> Rights:
        """The rights of a user id, also of one without an account."""
        try:
            account = pwd.getpwuid(uid)
        except KeyError:
            return cls(uid, NO_GROUP)
        return cls(uid, account.pw_gid, tuple(os.getgrouplist(account.pw_name, account.pw_gid)))


@contextmanager
def acting_as(rights: Rights) -> Iterator[None]:
    """Access files with these rights only. Without effect for the process's own user id."""
    before = os.geteuid(), os.getegid(), os.getgroups()
    if rights.uid == before[0]:
        yield
        return
    os.setgroups(rights.groups)
    os.setegid(rights.gid)
    os.seteuid(rights.uid)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])
        os.setgroups(before[2])


def answers(
    work: Callable[[], Iterator[Any]],
    *,
    total: float,
    silence: float | None = None,
    limited: bool = True,
) -> Iterator[Any]:
    """Iterate over ``work()`` in a child, and yield each answer (JSON values) when it arrives.

    The child is killed after ``total`` seconds, or after ``silence`` seconds without an answer. It has no open files of
    the parent. If ``limited``, it has its own resource limits. Raises ChildError.
    """
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(work, sender, total if limited else None)
    os.close(sender)
    try:
        yield from _received(receiver, total, silence)
    finally:
        os.close(receiver)
        _end(pid)


def answer(work: Callable[[], Any], *, seconds: float, limited: bool = True) -> Any:
    """Call ``work()`` in a child, and return its result. Raises ChildError."""
    return next(answers(lambda: iter([work()]), total=seconds, limited=limited))


def each(
    items: Sequence[Item],
    work: Callable[[Item], Any],
    failed: Callable[[Item, str], Any],
    *,
    silence: float,
    total: float,
) -> list[Any]:
    """Return ``work(item)`` for each item, computed in a child.

    If an item takes longer than ``silence`` seconds, its result is ``failed(item, why)``, and a new child continues
    with the next item. After ``total`` seconds all remaining items fail. Each item that hangs halves the time for the
    next ones. So an account that lets many items hang does not use up the time of other accounts.
    """
    done: list[Any] = []
    end = time.monotonic() + total
    while len(done) < len(items):
        rest, left = items[len(done) :], end - time.monotonic()
        if left <= 0:
            return [
                *done,
                *(failed(item, f"was left out after {total:g} s: the next run continues with it") for item in rest),
            ]
        try:
            for value in answers(lambda rest=rest: map(work, rest), total=left, silence=silence):  # type: ignore[misc]
                done.append(value)
        except ChildError as error:
            silence = shorter(silence) if isinstance(error, SilentError) else silence
            if len(done) < len(items):  # otherwise only the end of the child is missing
                done.append(failed(items[len(done)], str(error)))
    return done


def shorter(silence: float) -> float:
    """The limit after an item that did not answer within ``silence`` seconds."""
    return max(silence / 2, min(silence, LEAST_SILENCE))


def _received(receiver: int, total: float, silence: float | None) -> Iterator[Any]:
    end = time.monotonic() + total
    ready = select.poll()
    ready.register(receiver, select.POLLIN)
    parts: list[bytes] = []  # of the incomplete line
    size, last = 0, time.monotonic()
    while True:
        until = end if silence is None else min(end, last + silence)
        if not ready.poll(max(0, int((until - time.monotonic()) * 1000))):
            raise SilentError(f"did not end within {silence if until < end else total:g} s and was stopped")
        block = os.read(receiver, 1 << 16)
        if not block:
            raise ChildError("ended without an answer")
        parts.append(block)
        size += len(block)
        lines: list[bytes] = []
        if b"\n" in block:
            *lines, rest = b"".join(parts).split(b"\n")
            parts, size = [rest], len(rest)
        if max(size, *map(len, lines), 0) > MOST_BYTES:
            raise ChildError(f"answered more than {MOST_BYTES:,} bytes")
        for line in lines:
            kind, value = json.loads(line)
            if kind == "end":
                return
            if kind == "problem":
                raise ChildError(str(value))
            yield value
            last = time.monotonic()


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.001)


def _be_child(work: Callable[[], Iterator[Any]], sender: int, seconds: float | None) -> NoReturn:
    with suppress(BaseException):
        try:
            _leave_parent(sender)
            if seconds is not None:
                _limit(seconds)
            for value in work():
                _send(sender, "answer", value)
            _send(sender, "end", None)
        except Exception as error:  # pylint: disable=broad-except # the parent reports it
            what = f"{error.filename or ''}: {error.strerror}" if isinstance(error, OSError) else repr(error)
            _send(sender, "problem", what.lstrip(": "))
    os._exit(0)


def _leave_parent(sender: int) -> None:
    """Close pipes and locks of the parent, because other processes wait until they are closed."""
    os.setsid()  # within a session every process may send SIGCONT to the others
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(name, signal.SIG_DFL)
    syslog.closelog()  # otherwise PAM could write into another file that gets this descriptor later
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        if number != sender:
            os.dup2(nothing, number)
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number != sender:
            with suppress(OSError):  # the descriptor of this listing is closed already
                os.close(number)


def _limit(seconds: float) -> None:
    """Called before the rights change. If the parent is killed, SIGALRM ends the child."""
    signal.alarm(int(seconds) + 2)
    os.umask(0o022)
    lower_limits(
        {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_AS: MEMORY,
            resource.RLIMIT_FSIZE: FILE_SIZE,
            resource.RLIMIT_CPU: int(seconds) + 2,
        }
    )


def lower_limits(limits: Mapping[int, int]) -> None:
    """Set soft and hard limits of this process. A hard limit that is lower already stays."""
    for item, most in limits.items():
        hard = resource.getrlimit(item)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(item, (bound, bound))


def _send(sender: int, kind: str, value: Any) -> None:
    data = memoryview(json.dumps([kind, value]).encode() + b"\n")
    while data:
        data = data[os.write(sender, data) :]
