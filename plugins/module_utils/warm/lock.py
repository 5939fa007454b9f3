# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The crates that a Cargo.lock names. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

PACKAGE = re.compile(
    r'^\[\[package\]\]\nname = "([A-Za-z0-9_-]{1,100})"\nversion = "([A-Za-z0-9.+-]{1,100})"\nsource = "([^"\n]+)"\n',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Crate:
    name: str
    version: str
    source: str

    @property
    def folder(self) -> str:
        """The name of cargo's folder with its sources; for git, the revision."""
        if self.source.startswith("git+"):
            return self.source.rpartition("#")[2]
        return f"{self.name}-{self.version}"


def dependencies(lock: bytes) -> list[Crate]:
    """All crates except the members of the workspace."""
    return [Crate(*found) for found in PACKAGE.findall(lock.decode("utf-8", "replace"))]
