# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Files of systemd units that roles install. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .shapes import Entry, Template, Unit
from .units import FOLDER


def drop_in(unit: str, name: str, content: Template) -> Entry:
    return Entry(f"{FOLDER}/{unit}.d/{name}", content=content, mode="0644")


@dataclass(frozen=True)
class Timer:
    """A service, and the enabled timer that starts it."""

    name: str
    service: Template
    timer: Template
    validate: str = ""  #: Of the timer's file.

    @property
    def entries(self) -> tuple[Entry, ...]:
        timer = f"{FOLDER}/{self.name}.timer"
        return (
            Entry(f"{FOLDER}/{self.name}.service", content=self.service, mode="0644"),
            Entry(timer, content=self.timer, mode="0644", validate=self.validate),
            Entry(f"{FOLDER}/timers.target.wants/{self.name}.timer", "link", target=timer),
        )

    @property
    def units(self) -> tuple[Unit, ...]:
        return Unit(f"{self.name}.service", own=True), Unit(f"{self.name}.timer", own=True, active=True)
