# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What old releases of ansible-core hand over: vaulted values that are no texts, and '' for none."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.budget.inputs import budget_of
from ansible_collections.nova.agent_host.plugins.module_utils.values import given, plain


class Vaulted:
    """A STAND-IN for AnsibleVaultEncryptedUnicode, which is no str."""

    __ENCRYPTED__ = True

    def __str__(self) -> str:
        return "8G"


def test_vaulted_values_become_texts_at_any_depth() -> None:
    assert plain({"a": [Vaulted(), 1, None], "b": ("x", {"c": Vaulted()})}) == {
        "a": ["8G", 1, None],
        "b": ["x", {"c": "8G"}],
    }


@pytest.mark.parametrize(("value", "expected"), [("", None), (None, None), (0, 0), ([], []), (Vaulted(), "8G")])
def test_none_and_an_empty_text_are_not_given(value: object, expected: object) -> None:
    assert given(value) == expected


def test_a_budget_takes_both() -> None:
    budget = budget_of("64G", per_agent=Vaulted(), system_reserve="", headroom="", cpus="", recommended_agents="")
    assert budget == budget_of("64G", per_agent="8G")
