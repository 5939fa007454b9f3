# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Look at many paths: as root in root's folders, with the owner's rights in folders of others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from ..host.child import each
from .look import is_roots, observe

SILENCE = 5.0  # seconds for one folder
TOTAL = 60.0  # seconds for all folders


class Survey:
    """``found`` has the state of each path. The content of a file is read only if ``content(path)``."""

    def __init__(self, paths: Iterable[str], content: Callable[[str], bool]) -> None:
        self.paths = sorted(set(paths))
        self.roots: dict[str, bool] = {}
        self._check_folders(self.paths)
        theirs = [path for path in self.paths if not self.is_roots(path)]
        self.found = {path: observe(path, content(path)) for path in self.paths if self.is_roots(path)}
        if theirs:
            # A host compiles each import of a look. Few hosts need this one.
            from . import foreign

            self.found.update({path: found.state for path, found in zip(theirs, foreign.observe(theirs))})

    def is_roots(self, path: str) -> bool:
        """Whether only root can change the entry ``path``."""
        folder = os.path.dirname(path)
        if folder not in self.roots:
            self._check_folders([path])
        return self.roots[folder]

    def _check_folders(self, paths: Iterable[str]) -> None:
        """Find out which folders only root can change. In a child, because a mount of an account may never answer."""
        folders = sorted({os.path.dirname(path) for path in paths})
        answers = each(folders, is_roots, lambda _folder, _why: False, silence=SILENCE, total=TOTAL)
        self.roots.update(zip(folders, answers))
