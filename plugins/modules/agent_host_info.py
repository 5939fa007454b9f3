#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: one look at a host, for every role."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_host_info
short_description: Look once at a host - its memory, its budget, and all that this collection wrote on it
version_added: 0.1.0
description:
  - Reads what the roles of this collection need to know before they decide, in a few file reads and without starting
    a process (one, where the collection has units of systemd there), and computes the host's budget.
  - Hand the result to M(nova.agent_host.host_state) as O(nova.agent_host.host_state#module:observed), so that a host on
    which all is right is contacted once.
options:
  group:
    description: The agents' Unix group.
    type: str
    default: nova-agents
  users:
    description: Accounts to look up.
    type: list
    elements: str
    default: []
  packages:
    description: Debian packages to look up.
    type: list
    elements: str
    default: []
  manifest:
    description: Path of the manifest on the host.
    type: path
    default: /var/lib/nova-agent/manifest.json
extends_documentation_fragment: [nova.agent_host.budget, nova.agent_host.read_only]
seealso:
  - plugin: nova.agent_host.memory_budget
    plugin_type: filter
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.agent_host_info:
  register: seen

- name: Show how many agents it holds
  ansible.builtin.debug:
    msg: "{{ seen.budget.recommended_agents | default(seen.budget_error) }}"

- name: Compute the same for agents of 8 GiB
  ansible.builtin.debug:
    msg: "{{ seen | nova.agent_host.recommended_agents(per_agent='8G') }}"
"""

RETURN = r"""
memory:
  description: What bounds the host's memory, in bytes.
  returned: always
  type: dict
  contains:
    total: {description: MemTotal., type: int}
    hugepages: {description: Reserved huge pages of all sizes., type: int}
    swap: {description: SwapTotal., type: int}
    cgroup_limit: {description: The container's limit; null without one., type: int}
    cgroup_limit_file: {description: The file that holds it; null without one., type: str}
cpus:
  description: CPUs that are online and that PID 1 may use.
  returned: always
  type: int
budget:
  description: What the host can hold, as filter P(nova.agent_host.memory_budget#filter) gives it.
  returned: where the host can hold an agent
  type: dict
budget_error:
  description: Why there is no budget.
  returned: where the host can hold no agent
  type: str
platform:
  description: Distribution, architecture, systemd, Python, and the uid that this module ran as.
  returned: always
  type: dict
  sample: {ids: [ubuntu, debian], version: "24.04", architecture: x86_64, systemd: true, python: 3.12.3, uid: 0}
accounts:
  description: The agents' group and its members, the accounts asked for, the login user, and what earlier applies made.
  returned: always
  type: dict
packages:
  description: Whether each package of O(packages) is installed.
  returned: always
  type: dict
  sample: {build-essential: true}
fences:
  description: What can defeat a memory limit - overcommit mode, bytes in /dev/shm, agents who may start containers.
  returned: always
  type: dict
logins:
  description: What PAM's limits do not reach, and the agents' open sessions with their limits.
  returned: always
  type: dict
  contains:
    sshd_without_pam: {description: Whether sshd does not use PAM., type: bool}
    pam_without_limits: {description: Services of PAM without pam_limits., type: list, elements: str}
    sessions: {description: Units in which agents have processes., type: list, elements: dict}
ceiling:
  description: The cgroup tree, what all sessions together take now and may take, and the administrators.
  returned: always
  type: dict
manifest:
  description: What this collection wrote on the host, by role.
  returned: always
  type: dict
record:
  description: The manifest itself and what lies beside it, as found and as wanted, by path.
  returned: always
  type: dict
files:
  description: What stands now at every path of the manifest, by path.
  returned: always
  type: dict
toolchains:
  description: What stands now in every toolchain tree of the manifest, by path.
  returned: always
  type: dict
units:
  description:
    - Units of systemd that files of the manifest bring or change, as systemd has them.
    - C(stale) where their files changed since systemd read them.
  returned: always
  type: dict
  sample: {nova-agent-sweep.timer: {load: loaded, enabled: enabled, active: active, result: success, stale: false}}
unread_units:
  description: Units whose files changed since systemd read them, by role.
  returned: always
  type: dict
  sample: {agent_hygiene: [nova-agent-sweep.timer], agent_limits: []}
audit_logs:
  description: What is wrong with the AI audit logs that the host was told to hold.
  returned: always
  type: list
  elements: dict
token:
  description: Names this observation, so that one made out of date by a change is not used again.
  returned: always
  type: str
"""

import os
import uuid

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nova.agent_host.plugins.module_utils.budget.arithmetic import BudgetError, compute_budget
from ansible_collections.nova.agent_host.plugins.module_utils.budget.host import host_size
from ansible_collections.nova.agent_host.plugins.module_utils.budget.policy import VARIABLES, BudgetPolicy
from ansible_collections.nova.agent_host.plugins.module_utils.host import observe as host_observe
from ansible_collections.nova.agent_host.plugins.module_utils.host.cgroups import observe_ceiling
from ansible_collections.nova.agent_host.plugins.module_utils.host.logins import observe_ways_in
from ansible_collections.nova.agent_host.plugins.module_utils.host.memory import HostError, read_host
from ansible_collections.nova.agent_host.plugins.module_utils.host.sessions import observe_sessions
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import observe_recorded_units
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.observe import observe_audit_logs
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import SizeError
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import (
    DEFAULT_PATH,
    Manifest,
    ManifestError,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.record import observe_record
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.state import observe_toolchain


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "group": {"type": "str", "default": "nova-agents"},
            "users": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "per_agent": {"type": "str", "default": "4G"},
            "system_reserve": {"type": "str"},
            "headroom": {"type": "str"},
            "recommended_agents": {"type": "int"},
            "manifest": {"type": "path", "default": DEFAULT_PATH},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        policy = BudgetPolicy.parse(**{option: given[option] for option in VARIABLES})
        host = read_host()
        manifest = Manifest.load(given["manifest"])
        units, unread = observe_recorded_units(manifest)
        accounts = host_observe.observe_accounts(given["group"], given["users"], os.path.dirname(given["manifest"]))
        result = {
            **host,
            "platform": host_observe.observe_platform(),
            "accounts": accounts,
            "packages": host_observe.observe_packages(given["packages"]),
            "fences": host_observe.observe_fences(accounts["group"]["members"]),
            "logins": {
                **observe_ways_in(),
                "sessions": observe_sessions(accounts["group"]["members"]),
            },
            "ceiling": observe_ceiling(accounts["group"]["members"], accounts["login_user"]),
            "manifest": manifest.to_dict(),
            "record": observe_record(given["manifest"]),
            "files": host_observe.observe_files(manifest),
            "toolchains": {tree: observe_toolchain(tree) for role in manifest.roles.values() for tree in role["trees"]},
            "units": units,
            "unread_units": unread,
            "audit_logs": observe_audit_logs(manifest),
            "token": uuid.uuid4().hex,
        }
    except (HostError, ManifestError, SizeError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    try:
        result["budget"] = compute_budget(policy, host_size(host))
    except BudgetError as error:
        result["budget_error"] = str(error)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
