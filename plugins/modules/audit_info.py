#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Ansible module: what only a running host tells."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_info
short_description: Find out the limits of a new login, the states of units, and toolchains that agents brought along
version_added: 0.1.0
description:
  - What M(nova.agent_host.agent_host_info) leaves out because it starts processes. For audits.
  - Starts C(/bin/cat) as each of O(users), through PAM and without a shell.
options:
  users:
    description: Accounts of agents. Those that the host lacks are left out.
    type: list
    elements: str
    default: []
  units:
    description: Full names of units of systemd.
    type: list
    elements: str
    default: []
extends_documentation_fragment: [nova.agent_host.read_only]
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: See what a login of root gets, and whether cron runs
  nova.agent_host.audit_info:
    users: [root]
    units: [cron.service]
  register: seen

- name: Show it
  ansible.builtin.debug:
    msg: "{{ seen.units['cron.service'].active }}, open files {{ seen.logins.root.limits.nofile | join(':') }}"
"""

RETURN = r"""
logins:
  description: For each account its C(limits), soft and hard in the kernel's units and null for none, or an C(error).
  returned: always
  type: dict
  sample: {agent1: {limits: {as: [68719476736, 68719476736], core: [0, 0]}}}
units:
  description: For each unit how systemd has it; C(stale) where its files changed since systemd read them. C(drop_ins)
    are the paths of all its drop-ins, C(limits) those that hold after them, as in RV(logins).
  returned: always
  type: dict
  sample:
    cron.service:
      load: loaded
      enabled: enabled
      active: active
      result: success
      stale: false
      drop_ins: []
      limits: {as: [null, null]}
own_rustups:
  description: Paths of cargo, rustup and toolchains in the homes of accounts, for those who have any.
  returned: always
  type: dict
  sample: {agent1: [/home/agent1/.rustup]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nova.agent_host.plugins.module_utils.audit import observe as audit_observe
from ansible_collections.nova.agent_host.plugins.module_utils.host.pam import LIMITS
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import observe_units


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(argument_spec={"users": names, "units": names}, supports_check_mode=True)
    users = audit_observe.existing(module.params["users"])
    module.exit_json(
        changed=False,
        logins={user: audit_observe.observe_login(user) for user in users},
        units=observe_units(module.params["units"], list(LIMITS)),
        own_rustups=audit_observe.observe_own_rustups(users),
    )


if __name__ == "__main__":
    main()
