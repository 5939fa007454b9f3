# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Files that an apply replaced. They are stored beside the manifest under their hash until the role is removed."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

from . import change
from .look import read
from .paths import PathState, StateError, sha256


class Originals:
    def __init__(self, beside: str) -> None:
        self.folder = os.path.join(beside, "originals")

    def keep(self, digest: str, content: bytes) -> None:
        """Raises StateError if ``content`` has another hash, because the file has changed."""
        if sha256(content) != digest:
            raise StateError(f"a file with sha256 {digest} changed while it was read: apply again")
        if not os.path.isdir(self.folder):
            os.makedirs(self.folder, mode=0o700)
        path = os.path.join(self.folder, digest)
        if not os.path.lexists(path):
            change.put(path, PathState("file", "0600", "root", "root", digest), content)

    def read(self, digest: str) -> bytes:
        """Raises StateError if the copy is damaged, and OSError if it is missing."""
        path = os.path.join(self.folder, digest)
        content = read(path)
        if sha256(content) != digest:
            raise StateError(f"{path} is damaged: its sha256 is not its name; it is not restored")
        return content

    def keep_only(self, digests: Collection[str]) -> None:
        with suppress(FileNotFoundError):
            for name in set(os.listdir(self.folder)) - set(digests):
                os.unlink(os.path.join(self.folder, name))
            if not digests:
                os.rmdir(self.folder)
