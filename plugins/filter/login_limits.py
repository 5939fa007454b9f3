# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Filter: the limits of an agent's login in the notations of limits.conf, systemd and prlimit."""

from __future__ import annotations

DOCUMENTATION = r"""
name: login_limits
short_description: Write the limits of an agent's login as limits.conf, systemd and prlimit want them
version_added: 0.1.0
description:
  - One set of numbers for logins, services and the trial that precedes them.
positional: _input, core, nofile, nproc, extra
options:
  _input:
    description: RLIMIT_AS, a size such as V(64G).
    type: str
    required: true
  core:
    description: Size of core dumps in KiB.
    type: int
    default: 0
  nofile:
    description: Open files, a number or SOFT:HARD.
    type: str
    required: true
  nproc:
    description: Processes of one account, a number or SOFT:HARD; empty for the system's.
    type: str
    default: ""
  extra:
    description: Further items of limits.conf, in its units.
    type: dict
    default: {}
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Show the lines of a drop-in
  ansible.builtin.debug:
    msg: "{{ ('64G' | nova.agent_host.login_limits(nofile='1024:4096', extra={'stack': 8192})).systemd }}"
"""

RETURN = r"""
_value:
  description:
    - The same limits as lines C(pam) and C(systemd), as options C(prlimit), and in the kernel's units as C(kernel).
  type: dict
  sample:
    pam: ["- as 67108864", soft nofile 1024, hard nofile 4096]
    systemd: [LimitAS=68719476736, "LimitNOFILE=1024:4096"]
    prlimit: [--as=68719476736, "--nofile=1024:4096"]
    kernel: {as: [68719476736, 68719476736], nofile: [1024, 4096]}
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.nova.agent_host.plugins.module_utils.policy import limits as limits_plan
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import SizeError


def login_limits(
    address_space: str, nofile: str, core: int = 0, nproc: str = "", extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    try:
        return limits_plan.login_limits(address_space, core, nofile, nproc, extra or {})
    except SizeError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"login_limits": login_limits}
