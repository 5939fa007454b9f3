# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Convert records to a module's answer, which ``decode`` reads. Accounts of a host choose some of the numbers, such as
limits of their processes, so a number that ``decode`` would refuse is replaced by the largest one.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from .decode import LARGEST_NUMBER


def encode(value: Any) -> Any:
    """``value`` as JSON values: a dataclass of ``shapes``, or a list or dictionary of them."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, int):
        return max(-LARGEST_NUMBER, min(value, LARGEST_NUMBER))
    return value
