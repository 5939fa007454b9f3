# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: the entries of host_state for a drop-in of several units."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drop_in_entries
short_description: List a drop-in file for each of several systemd units
version_added: 0.1.0
description:
  - Gives entries for M(nova.agent_host.host_state), each the same file in another unit's drop-in folder.
positional: _input, name, entry
options:
  _input:
    description: Names of units. A name without a kind is a service, as for C(systemctl).
    type: list
    elements: str
    required: true
  name:
    description: Name of the drop-in file, with C(.conf).
    type: str
    required: true
  entry:
    description: What each of the files is like, as for M(nova.agent_host.host_state) without its path.
    type: dict
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Limit two services
  nova.agent_host.host_state:
    role: example
    entries: >-
      {{ ['build-runner', 'lint@1'] | nova.agent_host.drop_in_entries('90-example.conf',
         {'content': "[Service]\nLimitAS=64G\n", 'mode': '0644'}) }}
"""

RETURN = r"""
_value:
  description: Entries for M(nova.agent_host.host_state).
  type: list
  elements: dict
  sample: [{path: /etc/systemd/system/build-runner.service.d/90-example.conf, content: "[Service]\n", mode: "0644"}]
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host.units import drop_in_entries


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"drop_in_entries": drop_in_entries}
