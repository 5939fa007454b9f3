# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Links in folders that others may write to (checkouts of agents). No other code changes anything there.

Root finds the first folder on the path that belongs to another account. Below it, a child process uses descriptors and
the rights of the folder's owner, and follows no link. So the owner can't gain rights, even if it changes the folder at
the same time. The child reads and restores the original with the same rights; root stores it.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
    """A wanted link. Its folder is created, but not the folders above it."""

    path: str
    target: str


@dataclass(frozen=True)
class Original:
    """How to restore a path: remove the link to ``target``, and restore the state ``before`` (a file with its
    ``content``). ``made_folder``: an apply created the folder, so it is removed if it is empty."""

    path: str
    target: str
    before: PathState
    content: bytes | None = None
    made_folder: bool = False


@dataclass(frozen=True)
class Found:
    """``content``: of a file that can be stored. ``folder``: whether the folder of ``path`` exists."""

    path: str
    state: PathState
    content: bytes | None = None
    folder: bool = True


@dataclass(frozen=True)
class Result:
    """``outcome``: ``right`` (nothing to do), ``changed``, or ``left`` (unchanged, because of ``why``)."""

    path: str
    outcome: str
    why: str = ""


def observe(paths: Sequence[str]) -> list[Found]:
    """The state of each path, one answer for each. A path that can't be read is ``unreadable``, with ``why``."""
    return [_found(path, given) for path, given in zip(paths, _each(paths, _observe))]


def put_links(links: Sequence[ForeignLink], found: Mapping[str, PathState]) -> list[Result]:
    """Create each link, one result for each. ``found`` is the result of ``observe``. A path that has changed since then
    is left to the next apply, so that only stored originals are replaced."""
    return [
        _result(link.path, given) for link, given in zip(links, _each(links, lambda link: _put(link, found[link.path])))
    ]


def take_back(originals: Sequence[Original]) -> list[Result]:
    """Restore each path to the state before the link, one result for each. An edited path is left."""
    return [_result(original.path, given) for original, given in zip(originals, _each(originals, _take_back))]


def _each(items: Sequence[Item], work: Callable[[Item], dict[str, Any]]) -> list[dict[str, Any]]:
    return each(items, work, lambda _item, why: {"failed": f"it {why}"}, silence=SILENCE, total=TOTAL)


def _found(path: str, given: Mapping[str, Any]) -> Found:
    if "failed" in given:
        return Found(path, PathState("unreadable", why=_named(path, given["failed"])))
    state, content, folder = given["done"]
    return Found(path, PathState(**state), None if content is None else base64.b64decode(content), bool(folder))


def _result(path: str, given: Mapping[str, Any]) -> Result:
    if "failed" in given:
        return Result(path, "left", _named(path, given["failed"]))
    outcome, why = given["done"]
    return Result(path, outcome, _named(path, why) if why else "")


def _named(path: str, why: Any) -> str:
    return str(why) if path in str(why) else f"{path}: {why}"


def _observe(path: str) -> dict[str, Any]:
    def work(folder: int, name: str) -> tuple[dict[str, str], str | None, bool]:
        state = observe_in(folder, name, LARGEST_ORIGINAL)
        content = None
        if state.kind == "file" and state.sha256 != TOO_LARGE:
            data = read_in(folder, name, LARGEST_ORIGINAL)
            if sha256(data) != state.sha256:
                raise StateError("changed while it was read: apply again")
            content = base64.b64encode(data).decode()
        return state.to_dict(), content, True

    try:
        return _with_folder(path, False, work)
    except FileNotFoundError:
        return {"done": (ABSENT.to_dict(), None, False)}


def _put(link: ForeignLink, found: PathState) -> dict[str, Any]:
    def work(folder: int, name: str) -> tuple[str, str]:
        now = observe_in(folder, name, LARGEST_ORIGINAL)
        if now.kind == "link" and now.target == link.target:
            return "right", ""
        if now.kind not in ("absent", "link", "file"):
            return "left", f"is a {now.kind}, which is not replaced by a link: move it away"
        if now.sha256 == TOO_LARGE:
            return "left", "is a file that is too large to store, and is not replaced: move it away"
        owner = owner_name(os.geteuid())
        if now.owner and now.owner != owner:
            return "left", f"belongs to {now.owner}, not to {owner}, and is not replaced: move it away"
        if now != found:
            return "left", "changed meanwhile: apply again"
        _replace(folder, name, lambda new: os.symlink(link.target, new, dir_fd=folder))
        return "changed", ""

    try:
        return _with_folder(link.path, True, work)
    except FileNotFoundError:
        folder = os.path.dirname(os.path.dirname(link.path))
        return {"failed": f"there is no folder {folder}: create it, or remove it from the list"}


def _take_back(original: Original) -> dict[str, Any]:
    before, content = original.before, original.content
    if before.kind == "file" and (content is None or sha256(content) != before.sha256):
        return {"failed": "the stored original is damaged, so the link stays"}

    def work(folder: int, name: str) -> tuple[str, str]:
        now = observe_in(folder, name, False)
        if now.kind != "absent" and (now.kind != "link" or now.target != original.target):
            return "left", "was edited after it was written, and stays"
        owner = owner_name(os.geteuid())
        if before.kind == "file" and before.owner != owner:
            return "left", f"the original belonged to {before.owner}, but its folder belongs to {owner}: the link stays"
        if before.kind == "file":
            _replace(folder, name, lambda new: _write(folder, new, content or b"", before))
        elif before.kind == "link":
            _replace(folder, name, lambda new: os.symlink(before.target, new, dir_fd=folder))
        elif now.kind == "absent":
            return "right", ""
        else:
            os.unlink(name, dir_fd=folder)
        return "changed", ""

    try:
        done = _with_folder(original.path, False, work)
    except FileNotFoundError:
        return {"done": ("right", "")}  # the folder was removed together with the link
    if original.made_folder and before.kind == "absent":
        with suppress(OSError, StateError):  # not empty, or it has another owner now
            _with_folder(os.path.dirname(original.path), False, lambda folder, name: os.rmdir(name, dir_fd=folder))
    return done


def _with_folder(path: str, make: bool, work: Callable[[int, str], Any]) -> dict[str, Any]:
    """Call ``work(folder, name)`` with the rights of the folder's owner, and return the answer for the parent.

    Raises FileNotFoundError if the folder does not exist. With ``make`` it is created, but not the folder above it.
    """
    try:
        with _opened(path, make) as folder:
            return {"done": work(folder, os.path.basename(path))}
    except FileNotFoundError:
        raise
    except StateError as error:
        return {"failed": str(error)}
    except OSError as error:
        return {"failed": str(error.strerror)}


@contextmanager
def _opened(path: str, make: bool) -> Iterator[int]:
    folder, rest = border(os.path.dirname(path))
    try:
        owner = os.fstat(folder).st_uid
        with acting_as(Rights.of(owner)):
            for number, name in enumerate(rest):
                inner = _enter(path, folder, name, owner, make and number == len(rest) - 1)
                os.close(folder)
                folder = inner
            yield folder
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
