# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The result of a sweep for one target folder. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..sizes import readable_size
from ..text import LONGEST_PATH, safe_text


@dataclass(frozen=True)
class Folder:
    """The place and the identity of a target folder."""

    workspace: str
    names: tuple[str, ...]
    tagged: bool
    device: int
    inode: int
    uid: int

    @classmethod
    def decode(cls, found: Mapping[str, Any]) -> Folder:
        """From JSON. Raises TypeError and KeyError."""
        return cls(**{**found, "names": tuple(found["names"])})


@dataclass
class Swept:
    """One folder. ``outcome`` is ``kept``, ``cleaned``, ``over`` (a dry run would clean it), ``skipped`` or ``failed``.
    ``size`` is its measured size, None if it was not measured; ``freed`` is the removed part of it. Both are bytes."""

    path: str
    outcome: str = "skipped"
    owner: str = ""  # empty if it is not known
    size: Optional[int] = None
    freed: int = 0
    reason: str = ""
    on_disk: int = 0  # bytes on the disk
    entries: int = 0
    used: float = 0.0  # time of its last use, in seconds since the epoch
    folder: Optional[Folder] = None

    @classmethod
    def decode(cls, found: Mapping[str, Any]) -> Swept:
        """From the answer of a child."""
        return cls(**{**found, "folder": Folder.decode(found["folder"]) if found["folder"] else None})

    def line(self, limit: int) -> str:
        """``limit`` is 0 in a sweep for free space."""
        freed = f"freed {readable_size(self.freed)} ({self.freed} bytes)"
        why = f" ({self.reason})" if self.reason else ""
        result = {
            "kept": "kept",
            "cleaned": f"cleaned{why}, {freed}",
            "over": f"would be cleaned{why}",
            "skipped": f"skipped: {self.reason}",
            "failed": f"failed, {freed}: {self.reason}",
        }[self.outcome]
        of_limit = f" of {readable_size(limit)}" if limit else ""
        size = "" if self.size is None else f"{readable_size(self.size)}{of_limit}; "
        return f"{safe_text(self.path, LONGEST_PATH)}: {size}{result}"
