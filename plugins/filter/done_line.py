# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Filter: how an apply ended, in a line."""

from __future__ import annotations

DOCUMENTATION = r"""
name: done_line
short_description: Say how many hosts of a play are done, and name the others
version_added: 0.1.0
description:
  - Names are shown so that nothing in them steers a terminal.
positional: _input, done
options:
  _input:
    description: All hosts of the play.
    type: list
    elements: str
    required: true
  done:
    description: Those that are left in it.
    type: list
    elements: str
    required: true
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Name the hosts that are not done
  nova.agent_host.show:
    text: "{{ ansible_play_hosts_all | nova.agent_host.done_line(ansible_play_hosts) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The line.
  type: str
  sample: "done: 2 of 3 hosts; not reached or failed: host2"
"""

from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.policy.summary import done_line


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"done_line": done_line}
