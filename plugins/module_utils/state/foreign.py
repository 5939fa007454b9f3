# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Links in folders that others may write to (checkouts of agents). No other code changes anything there.

Root finds the first folder on the path that belongs to another account. Below it, a child process uses descriptors and
the rights of the folder's owner, and follows no link. So the owner can't gain rights, even if it changes the folder at
the same time. The child reads and restores the original with the same rights; root stores it.
"""

from __future__ import annotations

import base64
import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

from ..host.child import Item, Rights, acting_as, each
from .look import border, group_id, observe_in, owner_name, read_in
from .paths import ABSENT, TOO_LARGE, PathState, StateError, sha256

SILENCE = 5.0  # seconds for one path
TOTAL = 60.0  # seconds for all paths; the next apply does the rest
LARGEST_ORIGINAL = 1 << 20  # bytes of a file that can be stored and restored
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class ForeignLink:
    """A link of the collection, and the state of its path without it. ``content``: of a file. ``made_folder``: an apply
    created the folder, so it is removed with the link if it is empty."""

    path: str
    target: str
    before: PathState
    content: bytes | None = None
    made_folder: bool = False


@dataclass(frozen=True)
class Found:
    """``content``: of a file that can be stored. ``folder``: whether the folder of the path exists."""

    state: PathState
    content: bytes | None = None
    folder: bool = True


@dataclass(frozen=True)
class Result:
    """``outcome``: ``right`` (nothing to do), ``changed``, or ``left`` (unchanged, because of ``why``)."""

    outcome: str
    why: str = ""


def observe(paths: Sequence[str]) -> list[Found]:
    """The state of each path, one answer for each. A path that can't be read is ``unreadable``, with ``why``."""
    found = []
    for answer, why in _each(_observe, paths, paths):
        if why:
            found.append(Found(PathState("unreadable", why=why)))
        else:
            state, content, folder = answer
            found.append(Found(PathState(**state), None if content is None else base64.b64decode(content), folder))
    return found


def put_links(links: Sequence[ForeignLink], check_mode: bool = False) -> list[Result]:
    """Create each link, but not the folders above its folder. One result for each. A path that is not in the state
    ``before`` any more is left to the next apply, so that only stored originals are replaced."""
    work = partial(_put, check_mode=check_mode)
    return [Result(outcome or "left", why) for outcome, why in _each(work, links, [link.path for link in links])]


def take_back(links: Sequence[ForeignLink], check_mode: bool = False) -> list[Result]:
    """Restore each path to the state ``before``, one result for each. An edited path is left."""
    work = partial(_take_back, check_mode=check_mode)
    return [Result(outcome or "left", why) for outcome, why in _each(work, links, [link.path for link in links])]


def _each(work: Callable[[Item], Any], items: Sequence[Item], paths: Sequence[str]) -> list[tuple[Any, str]]:
    """``work`` of each item in a child: its result, or None and a reason that names the path."""

    def tried(item: Item) -> tuple[Any, str]:
        try:
            return work(item), ""
        except StateError as error:
            return None, str(error)
        except OSError as error:
            return None, str(error.strerror)

    answers = each(items, tried, lambda _item, why: (None, f"it {why}"), silence=SILENCE, total=TOTAL)
    return [(value, why if not why or path in why else f"{path}: {why}") for path, (value, why) in zip(paths, answers)]


def _observe(path: str) -> tuple[dict[str, str], str | None, bool]:
    try:
        with _opened(path) as (folder, name):
            state, content = observe_in(folder, name, LARGEST_ORIGINAL), None
            if state.kind == "file" and state.sha256 != TOO_LARGE:
                data = read_in(folder, name, LARGEST_ORIGINAL)
                if sha256(data) != state.sha256:
                    raise StateError("changed while it was read: apply again")
                content = base64.b64encode(data).decode()
            return state.to_dict(), content, True
    except FileNotFoundError:
        return ABSENT.to_dict(), None, False


def _put(link: ForeignLink, check_mode: bool) -> str:
    try:
        if check_mode and not _has_folder(link.path):
            with _opened(os.path.dirname(link.path)) as (checkout, _name):
                _check_writable(checkout)
            return "changed"
        with _opened(link.path, make=not check_mode) as (folder, name):
            now, owner = observe_in(folder, name, LARGEST_ORIGINAL), owner_name(os.geteuid())
            if now.kind == "link" and now.target == link.target:
                return "right"
            if now.kind not in ("absent", "link", "file"):
                raise StateError(f"is a {now.kind}, which is not replaced by a link: move it away")
            if now.sha256 == TOO_LARGE:
                raise StateError("is a file that is too large to store, and is not replaced: move it away")
            if now.owner and now.owner != owner:
                raise StateError(f"belongs to {now.owner}, not to {owner}, and is not replaced: move it away")
            if now != link.before:
                raise StateError("changed meanwhile: apply again")
            if check_mode:
                _check_writable(folder)
            else:
                _replace(folder, name, lambda new: os.symlink(link.target, new, dir_fd=folder))
            return "changed"
    except FileNotFoundError:
        above = os.path.dirname(os.path.dirname(link.path))
        raise StateError(f"there is no folder {above}: create it, or remove it from the list") from None


def _has_folder(path: str) -> bool:
    try:
        with _opened(path):
            return True
    except FileNotFoundError:
        return False


def _check_writable(folder: int) -> None:
    if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder, effective_ids=True):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _take_back(link: ForeignLink, check_mode: bool) -> str:
    if link.before.kind == "file" and (link.content is None or sha256(link.content) != link.before.sha256):
        raise StateError("the stored original is damaged, so the link stays")
    try:
        with _opened(link.path) as (folder, name):
            outcome = _restore(folder, name, link, check_mode)
    except FileNotFoundError:
        return "right"  # the folder was removed together with the link
    if link.made_folder and link.before.kind == "absent" and not check_mode:
        # It can have other files, or another owner now.
        with suppress(OSError, StateError), _opened(os.path.dirname(link.path)) as (above, name):
            os.rmdir(name, dir_fd=above)
    return outcome


def _restore(folder: int, name: str, link: ForeignLink, check_mode: bool) -> str:
    before, now, owner = link.before, observe_in(folder, name, False), owner_name(os.geteuid())
    if now.kind != "absent" and (now.kind != "link" or now.target != link.target):
        raise StateError("was edited after it was written, and stays")
    if before.kind == "file" and before.owner != owner:
        raise StateError(f"the original belonged to {before.owner}, but its folder belongs to {owner}: the link stays")
    if before.kind not in ("file", "link") and now.kind == "absent":
        return "right"
    if check_mode:
        _check_writable(folder)
    elif before.kind == "file":
        _replace(folder, name, lambda new: _write(folder, new, link.content or b"", before))
    elif before.kind == "link":
        _replace(folder, name, lambda new: os.symlink(before.target, new, dir_fd=folder))
    else:
        os.unlink(name, dir_fd=folder)
    return "changed"


@contextmanager
def _opened(path: str, make: bool = False) -> Iterator[tuple[int, str]]:
    """The folder of ``path`` and the name in it, with the rights of the folder's owner.

    Raises FileNotFoundError if the folder does not exist. With ``make`` it is created, but not the folder above it.
    """
    folder, rest = border(os.path.dirname(path))
    try:
        owner = os.fstat(folder).st_uid
        with acting_as(Rights.of(owner)):
            for number, name in enumerate(rest):
                inner = _enter(path, folder, name, owner, make and number == len(rest) - 1)
                os.close(folder)
                folder = inner
            yield folder, os.path.basename(path)
    finally:
        os.close(folder)


def _enter(path: str, folder: int, name: str, owner: int, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
    try:
        inner = os.open(name, FOLDER, dir_fd=folder)
    except NotADirectoryError:
        raise StateError(f"{path}: {name} in this path is a link or a file, and is not followed") from None
    there = os.fstat(inner).st_uid
    if there != owner:
        os.close(inner)
        raise StateError(
            f"{path}: {name} in this path belongs to {owner_name(there)}, the folder above it to {owner_name(owner)}"
        )
    return inner


def _replace(folder: int, name: str, make: Callable[[str], None]) -> None:
    new = f".{name}.{secrets.token_hex(8)}"  # a name that nobody can predict
    make(new)
    try:
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(new, dir_fd=folder)
        raise


def _write(folder: int, name: str, content: bytes, state: PathState) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(content)
        with suppress(KeyError, PermissionError):  # the owner may have left this group
            os.fchown(file.fileno(), -1, group_id(state.group))
        os.fchmod(file.fileno(), int(state.mode, 8) & 0o777)
