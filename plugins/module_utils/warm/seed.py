# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What a look reports of a seed, and the folders that have seeds."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..state.manifest import Manifest


@dataclass(frozen=True)
class Seed:
    """One seed. ``problem`` says why it can't be used."""

    name: str
    dependencies: int = 0  #: Built crates.
    locked: int = 0  #: Crates in Cargo.lock.
    bytes: int = 0
    created: int = 0  #: Seconds since the epoch.
    problem: str = ""

    @property
    def project(self) -> str:
        return self.name.partition("-")[0]


def folders(manifest: Manifest) -> list[str]:
    """The folders that the program of role agent_warm fills. They are removed with all their files."""
    held = manifest.roles.get("agent_warm")
    return [path for path in held.paths if os.path.basename(path) == "warm"] if held else []
