# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Files of systemd units that roles install. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .shapes import Entry, Template, Unit
from .units import FOLDER


def drop_in(unit: str, name: str, content: Template) -> Entry:
    return Entry(f"{FOLDER}/{unit}.d/{name}", content=content, mode="0644")


def timer_entries(name: str, service: Template, timer: Template, validate: str = "") -> Iterator[Entry]:
    """A service, and the enabled timer that starts it."""
    yield Entry(f"{FOLDER}/{name}.service", content=service, mode="0644")
    yield Entry(f"{FOLDER}/{name}.timer", content=timer, mode="0644", validate=validate)
    yield Entry(f"{FOLDER}/timers.target.wants/{name}.timer", "link", target=f"{FOLDER}/{name}.timer")


def timer_units(name: str) -> tuple[Unit, Unit]:
    """The units of ``timer_entries``."""
    return Unit(f"{name}.service", own=True), Unit(f"{name}.timer", own=True, active=True)
