# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Parts of the actions that report on all hosts of a play."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  variable:
    description: The variable in which each host has the result of M(nova.agent_host.policy_compare).
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Runs the same in check mode. It never changes a host.
  diff_mode:
    support: none
    description: Has no diff.
"""
