# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What variables hold under ansible-core 2.16 to 2.18, in the form that later releases have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return ``value`` with the texts of vaulted values, at any depth; old releases pass on objects of their own."""
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def given(value: Any) -> Any:
    """Return None for what is not given: old releases turn ``{{ x or none }}`` into an empty text."""
    value = plain(value)
    return None if value is None or value == "" else value
