# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""How long processes wait for CPU, disk and memory (PSI), as the kernel measures it for the whole host."""

from __future__ import annotations

import os
import re

RESOURCES = ("cpu", "io", "memory")
Pressure = dict[str, dict[str, float]]  #: {"some": {"avg10": 0.0, "avg60": 0.0}, "full": ...}: percent of the time.


def observe_pressure(root: str = "/") -> dict[str, Pressure]:
    """By resource; empty if the kernel was started without psi=1."""
    found = {}
    for name in RESOURCES:
        try:
            with open(os.path.join(root, "proc/pressure", name), encoding="ascii") as file:
                pressure = parse_pressure(file.read())
        except OSError:
            continue
        if pressure:
            found[name] = pressure
    return found


def parse_pressure(text: str) -> Pressure:
    """Lines such as ``some avg10=0.00 avg60=1.50 avg300=0.00 total=0``."""
    rows = re.findall(r"^(some|full) avg10=([0-9.]+) avg60=([0-9.]+)", text, re.MULTILINE)
    return {kind: {"avg10": float(avg10), "avg60": float(avg60)} for kind, avg10, avg60 in rows}


def waited(pressure: dict[str, Pressure]) -> dict[str, int]:
    """By resource, the hundredths of a percent of the last minute in which some process waited."""
    return {name: round(100 * kinds.get("some", {}).get("avg60", 0.0)) for name, kinds in pressure.items()}
