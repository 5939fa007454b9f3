# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Look at many paths: as root in folders of root's, with the owner's rights in folders of others."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable

from ansible_collections.nova.agent_host.plugins.module_utils.state import foreign
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import is_roots, observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import PathState


def survey(paths: Iterable[str], content: Callable[[str], bool]) -> dict[str, PathState]:
    """What is at each path; the content of files is read if ``content(path)``."""
    roots = functools.lru_cache(maxsize=None)(is_roots)
    found, theirs = {}, []
    for path in sorted(set(paths)):
        if roots(os.path.dirname(path)):
            found[path] = observe(path, content(path))
        else:
            theirs.append(path)
    if theirs:
        found.update({one.path: one.state for one in foreign.observe(theirs)})
    return found
