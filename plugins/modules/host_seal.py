#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: note that a host holds a policy as a whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_seal
short_description: Note on a host that it holds all that the policy wants of it
version_added: 0.1.0
description:
  - Writes the policy's fingerprint into the host's manifest, so that the next look tells whether anything is to be done
    without rendering a template. Every later change of M(nova.agent_host.host_state) or
    M(nova.agent_host.rustup_toolchain) breaks the seal.
  - Works after a whole apply only - not in check mode, and not with C(--tags), C(--skip-tags), C(--start-at-task) or
    C(--step). Where another apply worked on the host meanwhile, nothing is noted.
  - Is no change of the host's policy, and so never counts as one.
options:
  observed:
    description: What M(nova.agent_host.policy_look) returned for this host in this play.
    type: dict
  policy:
    description: The fingerprint. Made of O(observed).
    type: str
    required: true
  run:
    description: Names this apply to others that work on the host at the same time. Made of O(observed).
    type: dict
    required: true
  manifest:
    description: Path of the manifest on the host.
    type: path
    default: /var/lib/nova-agent/manifest.json
attributes:
  check_mode:
    support: full
    description: Notes nothing.
  diff_mode:
    support: none
    description: Changes nothing that a diff could show.
seealso:
  - module: nova.agent_host.policy_look
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look at the host
  nova.agent_host.policy_look:
  register: seen

- name: Note that all roles were applied
  nova.agent_host.host_seal:
    observed: "{{ seen }}"
"""

RETURN = r"""
sealed:
  description: Whether the host now carries the policy's fingerprint.
  returned: always
  type: bool
repaired:
  description: The manifest's own paths whose owner or mode was wrong, and has been put right.
  returned: always
  type: list
  elements: str
missed:
  description: What is not as the manifest has it after all, so that the host is not sealed.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nova.agent_host.plugins.module_utils.host.observe import unlike_record
from ansible_collections.nova.agent_host.plugins.module_utils.state.change import reason
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import (
    DEFAULT_PATH,
    Manifest,
    ManifestError,
    locked,
)
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import StateError
from ansible_collections.nova.agent_host.plugins.module_utils.state.record import (
    observe_record,
    record_problems,
    repair_record,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "observed": {"type": "dict"},
            "policy": {"type": "str", "required": True},
            "run": {"type": "dict", "required": True},
            "manifest": {"type": "path", "default": DEFAULT_PATH},
        },
        supports_check_mode=True,
    )
    policy, run, path = (module.params[name] for name in ("policy", "run", "manifest"))
    try:
        with locked():
            repaired = list(record_problems(observe_record(path))) if module.check_mode else repair_record(path)
            manifest = Manifest.load(path)
            missed = unlike_record(manifest)
            sealed = manifest.alone(run) and not missed and not module.check_mode
            if sealed and manifest.seal != policy:
                manifest.save(path, run, policy)
    except (ManifestError, StateError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        where = error.filename or path
        module.fail_json(msg=f"{where}: {reason(where, error)}")
    if missed and not module.check_mode:
        module.warn(f"not as this apply should have left it, apply again: {', '.join(missed)}")
    module.exit_json(changed=bool(repaired), sealed=sealed, repaired=repaired, missed=missed)


if __name__ == "__main__":
    main()
