# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (no AnsibleModule here, whose functions pylint would have)
"""`cargo clean` through the wrapper, as the owner of a workspace, and the locks of a build that may be running
there."""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterable

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.folders import FOLDER
from ansible_collections.nova.agent_host.plugins.module_utils.text import LONGEST_PATH, safe_text

# After how long a clean that does not end is ended.
CLEAN_SECONDS = 3600
SAID_BYTES = 4096


class BusyError(ValueError):
    """A build holds one of cargo's locks; the message names it."""


class CleanError(ValueError):
    """`cargo clean` could not be run or failed; the message says how."""


def hold_locks(target: int, locks: Iterable[tuple[str, ...]]) -> list[int]:
    """Take cargo's locks, so that a build that starts now waits until the folder is gone. Gives their descriptors.

    Cargo's own clean takes no lock. Raises BusyError where a build holds one.
    """
    held: list[int] = []
    for names in locks:
        try:
            lock = _open_lock(target, names)
        except OSError:
            continue  # gone, or not what it was
        held.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            release(held)
            raise BusyError(f"a build is running: {safe_text('/'.join(names), LONGEST_PATH)} is locked") from error
    return held


def release(held: Iterable[int]) -> None:
    for lock in held:
        os.close(lock)


def _open_lock(target: int, names: tuple[str, ...]) -> int:
    folder = os.dup(target)
    try:
        for name in names[:-1]:
            inner = os.open(name, FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Without O_NONBLOCK a FIFO of this name would hold us up.
        lock = os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        os.close(lock)
        raise FileNotFoundError(names[-1])
    return lock


def clean(workspace: int, account: pwd.struct_passwd, cargo_agent: str) -> None:
    """Run `cargo clean` for the open folder ``workspace``, with the rights of ``account``. Raises CleanError.

    The workspace is named by its descriptor, and cargo starts in /: no configuration file of the workspace or above it
    is read, no path can be swapped, and the folder removed is the `target` beside the Cargo.toml and no other.
    """
    place = f"/proc/self/fd/{workspace}"
    command = [cargo_agent, "clean", "--locked", "--manifest-path", f"{place}/Cargo.toml"]
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "LANG": "C.UTF-8",
        "CARGO_TARGET_DIR": f"{place}/target",
        "CARGO_HOME": "/nonexistent",  # nor one of the owner's
    }
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command,
                cwd="/",
                env=environment,
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=os.getgrouplist(account.pw_name, account.pw_gid),
                pass_fds=[workspace],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise CleanError(f"{cargo_agent}: {error.strerror}; apply role agent_wrappers") from error
        try:
            status = process.wait(timeout=CLEAN_SECONDS)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise CleanError(f"cargo clean did not end in {CLEAN_SECONDS} s and was killed") from error
        if status != 0:
            said.seek(0)
            text = said.read(SAID_BYTES).decode(errors="replace")
            raise CleanError(f"cargo clean ended with status {status}: {_reason(text)}")


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("error", "cargo_agent:"))]
    # Cargo's first line says what failed, its last one why.
    told = list(dict.fromkeys([*errors[:1], *lines[-1:]])) or ["it said nothing"]
    return safe_text("; ".join(told), 400)
