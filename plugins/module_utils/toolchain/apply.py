# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Bring a toolchain tree to the desired state: lock, look, build a new generation, rename one link, remove the old."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from ..observed.answers import Installed
from ..state.lock import locked
from ..state.look import opened_own_folder
from .compare import Plan, plan
from .generation import Generation, InstallError, Source
from .request import TRIPLES, Request
from .state import LOCK, Inspection, generations_folder, inspect


def preview(tree: str, request: Request, architecture: str, displaced: bool = False) -> Installed:
    """What ``apply`` would do. ``displaced``: a folder above the tree will be created again first. Raises the same
    InstallError if something else is in the place of the tree."""
    if displaced:
        found = Inspection(tree)
    else:
        _refuse_other(tree)
        found = inspect(tree)
    return _outcome(found, request, TRIPLES[architecture])[1]


def apply(tree: str, request: Request, architecture: str, source: Source, patience: float) -> Installed:
    """Bring ``tree`` to ``request``. Raises InstallError, FetchError, RequestError, StateError and
    OSError.

    After any error, ``tree`` is completely the old or completely the new toolchain.
    """
    folder = generations_folder(tree)
    _refuse_other(tree)
    with opened_own_folder(os.path.dirname(tree)):
        _ensure_folder(folder)
    with _locked(folder, patience) as lock, _umask(0o022):
        found = inspect(tree, own_lock=True)
        steps, outcome = _outcome(found, request, TRIPLES[architecture])
        if steps.generation:
            root = tempfile.mkdtemp(prefix="", dir=folder)  # 0700 until it is complete
            try:
                Generation(root, architecture, source, lock).build(request, steps, found)
                _switch(tree, root)
            except BaseException:
                shutil.rmtree(root, ignore_errors=True)
                _dissolve(folder)
                raise
        outcome.in_use = _clear(tree)
        return outcome


def _refuse_other(tree: str) -> None:
    """Raises InstallError if something that is not of this collection would be replaced."""
    folder = generations_folder(tree)
    if os.path.lexists(tree) and not os.path.islink(tree):
        raise InstallError(f"{tree} is not a link of this collection: move it away, or set another prefix")
    if os.path.lexists(folder) and not os.path.islink(folder) and not os.path.isdir(folder):
        raise InstallError(f"{folder} is no folder: move it away")


def remove(tree: str, patience: float, unused_only: bool = False) -> Installed:
    """Remove ``tree`` with its generations; with ``unused_only`` except those in which programs still run. Raises
    StateError and OSError."""
    folder = generations_folder(tree)
    outcome = preview_removal(tree)
    _remove_link(folder)
    if not os.path.isdir(folder):
        if outcome.changed or unused_only:
            _remove_link(tree)
        return outcome
    with _locked(folder, patience):
        _remove_link(tree)
        if unused_only:
            outcome.in_use = _clear(tree)
        else:
            for name in os.listdir(folder):
                if name != LOCK:
                    _discard(os.path.join(folder, name))
        _dissolve(folder)
    return outcome


def preview_removal(tree: str) -> Installed:
    """What ``remove`` would do. A tree that is not a link of the collection stays."""
    folder = generations_folder(tree)
    if not os.path.isdir(folder) and not os.path.islink(folder):
        return Installed()
    found = inspect(tree)
    removed = [toolchain.describe() for toolchain in found.toolchains]
    return Installed(changed=True, removed=removed, diff={"before": _before(found), "after": ""})


def _outcome(found: Inspection, request: Request, triple: str) -> tuple[Plan, Installed]:
    steps = plan(request, found, triple)
    if not steps.generation and not found.leftovers:
        return steps, Installed(in_use=found.in_use)
    there = (*request.toolchains, *(spare for spare in steps.keep if spare not in request.toolchains))
    after = [f"rustup {request.rustup_version}", *(toolchain.describe() for toolchain in there)]
    return steps, Installed(
        changed=True,
        installed=[toolchain.describe() for toolchain in steps.install],
        removed=[toolchain.describe() for toolchain in steps.remove],
        repaired=found.problems,
        in_use=found.in_use,
        diff={"before": _before(found), "after": "".join(f"{line}\n" for line in after)},
    )


def _before(found: Inspection) -> str:
    lines = [f"rustup {found.receipt['request'].get('rustup_version', 'unknown')}"] if found.receipt else []
    lines += [toolchain.describe() for toolchain in found.toolchains]
    return "".join(f"{line}\n" for line in [*lines, *(f"problem: {line}" for line in found.problems)])


def _locked(folder: str, patience: float) -> AbstractContextManager[int]:
    remedy = "wait until it has ended, or raise lock_timeout"
    return locked(os.path.join(folder, LOCK), patience, remedy, keep=True)


def _ensure_folder(folder: str) -> None:
    _remove_link(folder)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o755)
    os.chmod(folder, 0o755)
    os.chown(folder, os.geteuid(), os.getegid())


def _remove_link(path: str) -> None:
    """Remove a link that replaced a folder of the collection. Its target stays."""
    if os.path.islink(path):
        os.unlink(path)


def _dissolve(folder: str) -> None:
    """Remove the folder of a tree without generations. The caller has its lock."""
    if os.listdir(folder) == [LOCK]:
        os.unlink(os.path.join(folder, LOCK))
        os.rmdir(folder)


def _switch(tree: str, root: str) -> None:
    """One rename(2), so that a reader sees the old or the new link."""
    link = f"{root}.link"
    os.symlink(os.path.join(os.path.basename(os.path.dirname(root)), os.path.basename(root)), link)
    os.replace(link, tree)


def _clear(tree: str) -> list[str]:
    """Remove unused generations, and return those in which programs still run."""
    found = inspect(tree, own_lock=True)
    for path in found.leftovers:
        _discard(path)
    return found.in_use


def _discard(path: str) -> None:
    """Remove a generation, or a link that a killed run left."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    was = os.umask(mask)
    try:
        yield
    finally:
        os.umask(was)
