# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The policy of a host: the typed variables of all roles. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ..budget.arithmetic import Budget
from ..observed.shapes import Observation

T = TypeVar("T")


@dataclass(frozen=True)
class Policy:
    """The variables of all roles, also of roles that the play does not use."""

    values: Mapping[str, Any]  #: Full name to value as the user wrote it, for templates and messages.
    records: Mapping[type, object]  #: The Variables of each feature.

    def of(self, shape: type[T]) -> T:
        """The variables of one feature, as in ``policy.of(agent_limits.Variables)``."""
        return cast(T, self.records[shape])


def no_problems(*_given: object) -> list[str]:
    """``problems`` and ``host_problems`` of a feature that has none."""
    return []


@dataclass(frozen=True)
class Host:
    """The facts of a host that a feature can use."""

    observed: Observation
    budget: Budget  #: Computed once for each look.
