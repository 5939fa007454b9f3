# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: a size in the unit that a configuration file wants."""

from __future__ import annotations

DOCUMENTATION = r"""
name: size_in
short_description: Convert a size such as 4G to a number in the unit that a file wants
version_added: 0.1.0
description:
  - limits.conf wants KiB, systemd and prlimit want bytes; variables hold sizes with a unit. A bare number is refused.
positional: _input, unit
options:
  _input:
    description: A size such as V(4G), V(4GiB) or V(4096M).
    type: str
    required: true
  unit:
    description: The unit of the result.
    type: str
    choices: [B, KiB, MiB, GiB]
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Address space in the unit of limits.conf
  ansible.builtin.debug:
    msg: "{{ '64G' | nova.agent_host.size_in('KiB') }}"
"""

RETURN = r"""
_value:
  description: The size, rounded down to whole units.
  type: int
  sample: 67108864
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB, KIB, MIB, SizeError, parse_size

UNITS = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}


def size_in(size: str, unit: str) -> int:
    if unit not in UNITS:
        raise AnsibleFilterError(f"size_in: unit is {unit!r}; allowed are {', '.join(UNITS)}")
    try:
        return parse_size(size, "size_in: the size") // UNITS[unit]
    except SizeError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"size_in": size_in}
