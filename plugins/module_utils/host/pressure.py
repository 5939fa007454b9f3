# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The kernel's pressure stall information (PSI): how long processes of the host wait for CPU, disk and memory."""

from __future__ import annotations

import errno
import re

from .files import HostError, read_text

RESOURCES = ("cpu", "io", "memory")
Pressure = dict[str, dict[str, float]]  #: {"some": {"avg10": 0.0, "avg60": 0.0}, "full": ...}: percent of the time.


def observe_pressure(root: str = "/") -> dict[str, Pressure]:
    """By resource. Empty if the kernel was started without psi=1."""
    found = {name: read_pressure(f"/proc/pressure/{name}", root) for name in RESOURCES}
    return {name: pressure for name, pressure in found.items() if pressure}


def read_pressure(path: str, root: str = "/") -> Pressure:
    """A file of lines such as ``some avg10=0.00 avg60=1.50 avg300=0.00 total=0``. Raises HostError."""
    try:
        text = read_text(path, root)
    except HostError as error:
        if getattr(error.__cause__, "errno", None) != errno.EOPNOTSUPP:  # older kernels without psi=1 have the file
            raise
        text = ""
    rows = re.findall(r"^(some|full) avg10=([0-9.]+) avg60=([0-9.]+)", text, re.MULTILINE)
    return {kind: {"avg10": float(avg10), "avg60": float(avg60)} for kind, avg10, avg60 in rows}


def waited(pressure: dict[str, Pressure]) -> dict[str, int]:
    """By resource: the share of the last minute in which at least one process waited, in hundredths of a percent."""
    return {name: round(100 * kinds.get("some", {}).get("avg60", 0.0)) for name, kinds in pressure.items()}
