# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The part of the policy that the budget depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..sizes import parse_count, parse_size
from ..text import is_empty

DEFAULT_PER_AGENT = "4G"

# The only mapping from the options of the filters and of agent_host_info to the variables of the roles.
VARIABLES = {
    "per_agent": "agent_policy_memory_per_agent",
    "system_reserve": "agent_policy_system_reserve",
    "headroom": "agent_policy_headroom",
    "recommended_agents": "agent_policy_recommended_agents",
}


def option_name(option: str) -> str:
    """An option as messages name it."""
    return f"{option} ({VARIABLES[option]})"


@dataclass(frozen=True)
class BudgetPolicy:
    """Sizes are bytes. None means that the rule of the budget applies."""

    per_agent: int = parse_size(DEFAULT_PER_AGENT, "per_agent")
    system_reserve: int | None = None
    headroom: int | None = None
    recommended_agents: int | None = None

    @classmethod
    def parse(
        cls,
        *,
        per_agent: object = DEFAULT_PER_AGENT,
        system_reserve: object = None,
        headroom: object = None,
        recommended_agents: object = None,
    ) -> BudgetPolicy:
        """Read sizes such as "4G" and counts. All but ``per_agent`` may be empty. Raises SizeError."""
        return cls(
            per_agent=parse_size(per_agent, option_name("per_agent")),
            system_reserve=_optional_size(system_reserve, "system_reserve"),
            headroom=_optional_size(headroom, "headroom"),
            recommended_agents=None
            if is_empty(recommended_agents)
            else parse_count(recommended_agents, option_name("recommended_agents")),
        )

    @classmethod
    def from_variables(cls, variables: Mapping[str, object]) -> BudgetPolicy:
        """Read the variables of role agent_policy; those that are not set have their defaults. Raises SizeError."""
        return cls.parse(**{option: variables[name] for option, name in VARIABLES.items() if name in variables})


def _optional_size(value: object, option: str) -> int | None:
    return None if is_empty(value) else parse_size(value, option_name(option))
