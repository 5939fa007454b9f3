# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: the systemd unit that a file belongs to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: unit_of
short_description: Name the systemd unit whose file or drop-in a path is
version_added: 0.1.0
description:
  - Tells which units a play has to load or restart after M(nova.agent_host.host_state) changed some paths.
positional: _input
options:
  _input:
    description: A path.
    type: str
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the units whose files changed
  ansible.builtin.debug:
    msg: "{{ paths | map('nova.agent_host.unit_of') | select | unique }}"
  vars:
    paths:
      - /etc/systemd/system/build-runner.service.d/90-example.conf
      - /etc/example.conf
"""

RETURN = r"""
_value:
  description:
    - The unit's name; empty where the path is no unit's, and for templates and drop-ins of every session, which are
      there under other names only.
  type: str
  sample: build-runner.service
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.host.units import unit_of


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"unit_of": unit_of}
