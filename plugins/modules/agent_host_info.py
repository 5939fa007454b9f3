#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: one look at a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_host_info
short_description: Read the memory, accounts and limits of a host, and everything that this collection wrote
version_added: 0.1.0
description:
  - Reads what the roles of this collection compare with their policy, in a few file reads. Starts at most one process,
    C(systemctl show), and none on a host without units of the collection.
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
    description: Debian packages to look up. An architecture or version may follow, as for C(apt-get install).
    type: list
    elements: str
    default: []
  audit_logs:
    description: AI audit logs to look at.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the log.
        type: str
        required: true
      owner:
        description: The account that owns it.
        type: str
        required: true
  programs:
    description: Names of programs. The agents' processes that run them are counted.
    type: list
    elements: str
    default: []
  paths:
    description: Paths to look at, beside those of the manifest.
    type: list
    elements: str
    default: []
  units:
    description: Units of systemd to look at, beside those of the manifest.
    type: list
    elements: str
    default: []
  deep:
    description: Also open a login session for each agent to read its limits, and read the ledger.
    type: bool
    default: false
  manifest:
    description: Path of the manifest on the host.
    type: path
    default: /var/lib/nova-agent/manifest.json
extends_documentation_fragment: [nova.agent_host.read_only]
seealso:
  - plugin: nova.agent_host.memory_budget
    plugin_type: filter
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.agent_host_info:
  register: host_info

- name: Show how many agents fit on it
  ansible.builtin.debug:
    msg: "{{ host_info | nova.agent_host.recommended_agents }}"

- name: Show how many agents of 8 GiB fit on it
  ansible.builtin.debug:
    msg: "{{ host_info | nova.agent_host.recommended_agents(per_agent='8G') }}"
"""

RETURN = r"""
memory:
  description: Memory of the host and its limits, in bytes.
  returned: success
  type: dict
  contains:
    total: {description: MemTotal., type: int}
    hugepages: {description: Reserved huge pages of all sizes., type: int}
    swap: {description: SwapTotal., type: int}
    cgroup_limit: {description: The container's limit; null without one., type: int}
    cgroup_limit_file: {description: The file of this limit; null without one., type: str}
cpus:
  description: CPUs that are online and that PID 1 may use.
  returned: success
  type: int
platform:
  description: Distribution, architecture, systemd, Python, and the uid that this module ran as.
  returned: success
  type: dict
  sample: {ids: [ubuntu, debian], version: "24.04", architecture: x86_64, systemd: true, python: 3.12.3, uid: 0}
accounts:
  description:
    - The agents' group and its members, the accounts of O(users), the login user, and what earlier applies created.
  returned: success
  type: dict
packages:
  description: Whether each package of O(packages) is installed.
  returned: success
  type: dict
  sample: {build-essential: true}
fences:
  description:
    - Facts that weaken a memory limit - the overcommit mode, bytes in /dev/shm, agents that may start containers.
  returned: success
  type: dict
login_paths:
  description: Ways to log in on which PAM sets no limits.
  returned: success
  type: dict
  sample: {sshd_without_pam: false, pam_without_limits: []}
sessions:
  description: Units in which agents have processes, with their hard limits.
  returned: success
  type: list
  elements: dict
ceiling:
  description: The cgroup tree, the memory that all sessions together use and may use, and the administrators.
  returned: success
  type: dict
pressure:
  description: Share of the last minute in which a process waited, by cpu, io and memory, in hundredths of a percent.
  returned: success
  type: dict
  sample: {cpu: 1250, io: 0, memory: 25}
disks:
  description:
    - The local file systems of the host, by mount point - bytes, free bytes, and the free share of bytes or inodes
      in hundredths of a percent.
  returned: success
  type: dict
  sample: {/: {size: 105089261568, free: 52544630784, free_share: 5000}}
programs:
  description: How many processes of agents run each of O(programs).
  returned: success
  type: dict
capacity:
  description: Limits on the number of agents - kernel settings, open files, tasks, sessions, sshd.
  returned: success
  type: dict
manifest:
  description: What this collection wrote on the host, by role.
  returned: success
  type: dict
record:
  description: Owner and mode of the manifest, its folder and the folder of originals, by path.
  returned: success
  type: dict
files:
  description: State of every path of the manifest and of O(paths).
  returned: success
  type: dict
toolchains:
  description: State of every toolchain tree of the manifest, by path.
  returned: success
  type: dict
units:
  description: State of systemd units that files of the manifest create or change, and of O(units).
  returned: success
  type: dict
  sample: {nova-agent-sweep.timer: {load: loaded, enabled: enabled, active: active, result: success, stale: false}}
audit_logs:
  description: Problems of O(audit_logs).
  returned: success
  type: list
  elements: dict
warm:
  description: The seeds of role agent_warm; with O(deep) each of their files is compared with its sha256.
  returned: success
  type: list
  elements: dict
deep:
  description: Limits of a new login by account, toolchains of agents, waiting times; null without O(deep).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host.files import HostError
from ..module_utils.host.observe import Question, look
from ..module_utils.observed.encode import encode
from ..module_utils.state.manifest import DEFAULT_PATH, ManifestError
from ..module_utils.text import outgoing


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    log = {"path": {"type": "str", "required": True}, "owner": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "group": {"type": "str", "default": "nova-agents"},
            "users": names,
            "packages": names,
            "audit_logs": {"type": "list", "elements": "dict", "default": [], "options": log},
            "programs": names,
            "paths": names,
            "units": names,
            "deep": {"type": "bool", "default": False},
            "manifest": {"type": "path", "default": DEFAULT_PATH},
        },
        supports_check_mode=True,
    )
    given = dict(module.params)
    given["audit_logs"] = [(log["path"], log["owner"]) for log in given["audit_logs"]]
    try:
        observed = look(Question(**given))
    except (HostError, ManifestError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or 'the host'}: {error.strerror}")
    module.exit_json(changed=False, **outgoing(encode(observed)))


if __name__ == "__main__":
    main()
