#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: files, folders and links of one role, whole state in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: Hold the files, folders and links of one role on a host, in one call
version_added: 0.1.0
description:
  - Brings every path that a role owns on a host to the wanted state, and removes the paths that the role wanted in an
    earlier apply and no longer lists.
  - What was written is recorded by role, with hashes, in a manifest. A recorded file that somebody edited is not
    removed but reported. What stood at a path before the first apply is put back when the path is taken out.
  - Where O(observed) holds what M(nova.agent_host.agent_host_info) saw and all is as wanted, the host is not contacted.
  - Files are written beside their place and renamed, so that a reader sees the old or the new file and nothing between.
options:
  role:
    description: The owner of the paths in the manifest. Each role makes one call and lists everything it wants.
    type: str
    required: true
  entries:
    description: All paths that O(role) wants on the host. An empty list takes out everything of the role.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute, normalized path. Parent folders that are missing are made, C(root:root 0755).
        type: str
        required: true
      state:
        description: What is to stand at O(entries[].path).
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description:
          - The whole content of a file, as text.
          - Without it the file is made empty where it is missing, and what its users then write into it is left alone.
        type: str
      target:
        description: Where a link leads. Needed by state V(link).
        type: str
      mode:
        description: Permissions as a quoted octal number. Needed by states V(file) and V(directory).
        type: str
      owner:
        description: Name of the owning user.
        type: str
        default: root
      group:
        description: Name of the owning group.
        type: str
        default: root
      validate:
        description: A command that must accept the new file before it takes its place; C(%s) stands for its path.
        type: str
      diff:
        description: Whether the file's content may be shown in diff mode.
        type: bool
        default: true
  observed:
    description:
      - What M(nova.agent_host.agent_host_info) returned for this host earlier in the play.
      - Used on the controller only. Without it the host is always contacted.
    type: dict
  audit:
    description:
      - Only compare, whatever the mode, and return RV(findings). Nothing is refused and no O(entries[].validate) runs.
      - Set by the playbook C(nova.agent_host.audit) for all roles.
    type: bool
    default: false
  run:
    description: Names this apply to others that work on the host at the same time. Made of O(observed).
    type: dict
  manifest:
    description: Path of the manifest on the host.
    type: path
    default: /var/lib/nova-agent/manifest.json
attributes:
  check_mode:
    support: full
    description: Tells what would change without changing it. Owners that do not exist yet are listed as pending.
  diff_mode:
    support: full
    description: Shows kind, mode, owner and content of each changed path.
seealso:
  - module: nova.agent_host.agent_host_info
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Look once
  nova.agent_host.agent_host_info:
  register: seen

- name: Hold a wrapper and the link that leads to it
  nova.agent_host.host_state:
    role: example
    observed: "{{ seen }}"
    entries:
      - path: /opt/example/bin/hello.sh
        content: |
          #!/bin/sh
          echo hello
        mode: "0755"
        validate: sh -n %s
      - path: /usr/local/bin/hello
        state: link
        target: /opt/example/bin/hello.sh

- name: Take everything of this role out again
  nova.agent_host.host_state:
    role: example
    entries: []
"""

RETURN = r"""
changed_paths:
  description: Paths that were written or removed, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: [/opt/example/bin/hello.sh, /usr/local/bin/hello]
contacted:
  description: Whether the host was contacted; V(false) where the observation already showed that all is right.
  returned: always
  type: bool
findings:
  description: Each path and whether it is as it should be.
  returned: with O(audit)
  type: list
  elements: dict
kept:
  description: Paths no longer wanted that were left, because somebody edited them or put something into them.
  returned: always
  type: list
  elements: str
pending:
  description: In check mode, accounts that a run would have to make before the files that they are to own.
  returned: always
  type: list
  elements: str
  sample: ["group nova-agents does not exist (/run/nova-agent/slots)"]
"""

import shlex
from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.nova.agent_host.plugins.module_utils.audit.files import audit_files
from ansible_collections.nova.agent_host.plugins.module_utils.state.apply import ApplyError, apply
from ansible_collections.nova.agent_host.plugins.module_utils.state.change import reason
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import DEFAULT_PATH, ManifestError
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import StateError

ENTRY = {
    "path": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["file", "directory", "link", "absent"], "default": "file"},
    "content": {"type": "str"},
    "target": {"type": "str"},
    "mode": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "validate": {"type": "str"},
    "diff": {"type": "bool", "default": True},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "required": True},
            "entries": {"type": "list", "elements": "dict", "required": True, "options": ENTRY},
            "observed": {"type": "dict"},
            "run": {"type": "dict"},
            "audit": {"type": "bool", "default": False},
            "manifest": {"type": "path", "default": DEFAULT_PATH},
        },
        supports_check_mode=True,
    )

    def validate(command: str, path: str) -> None:
        status, out, err = module.run_command([path if word == "%s" else word for word in shlex.split(command)])
        if status:
            raise StateError(f"{command} refused the new file with status {status}: {(err or out).strip()}")

    role, entries, manifest = (module.params[name] for name in ("role", "entries", "manifest"))
    try:
        if module.params["audit"]:
            module.exit_json(changed=False, contacted=True, findings=audit_files(role, entries, manifest))
        outcome = apply(
            role, entries, manifest, check_mode=module.check_mode, validate=validate, run=module.params["run"]
        )
    except ApplyError as error:
        module.fail_json(msg=str(error), contacted=True, **asdict(error.outcome))
    except (StateError, ManifestError) as error:
        module.fail_json(msg=str(error), contacted=True, changed_paths=[])
    except OSError as error:
        where = error.filename or manifest
        module.fail_json(msg=f"{where}: {reason(where, error)}", contacted=True, changed_paths=[])
    for path in outcome.kept:
        module.warn(f"{path} is no longer wanted but was edited or filled since it was written: left in place")
    module.exit_json(contacted=True, **asdict(outcome))


if __name__ == "__main__":
    main()
