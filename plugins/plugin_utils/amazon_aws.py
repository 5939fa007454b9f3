# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Whether EC2 can be asked."""

from __future__ import annotations

from importlib.util import find_spec


def has_amazon_aws() -> bool:
    """Whether the collection amazon.aws is installed."""
    try:
        return find_spec("ansible_collections.amazon.aws") is not None
    except ModuleNotFoundError:  # no collection of this namespace at all
        return False
