# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Attributes of modules that change nothing."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Never changes anything.
  diff_mode:
    support: none
    description: Never changes anything.
"""
