#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: files, links and units of several roles, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: "Internal: bring files, folders, links and units of roles to the desired state, in one call"
version_added: 0.1.0
description:
  - Used by the action plugin M(nova.agent_host.policy_apply). Its options may change in any version.
  - Brings every path that a role wants to the desired state, and removes paths that the role wanted in an earlier apply
    and no longer wants. Then reloads systemd if units changed, and starts or restarts them.
  - A manifest records the paths by role, with hashes. If a recorded file was edited, it is not removed but reported.
    When a path is removed, the original is restored.
  - A file is written under a temporary name and renamed, so that a reader sees the old or the new file, never a part.
options:
  roles:
    description: The roles, in order. A role without entries is removed.
    type: list
    elements: dict
    required: true
    suboptions:
      role:
        description: Name of the role in the manifest.
        type: str
        required: true
      entries:
        description:
          - All paths that the role wants.
          - Each has C(path), C(kind) (file, directory, link, absent), and as needed C(content), C(target), C(mode),
            C(owner), C(group), C(validate), C(diff), C(foreign).
        type: list
        elements: dict
        default: []
      units:
        description: Systemd units that these files create or change. Each has C(name), and flags.
        type: list
        elements: dict
        default: []
  reload:
    description: Reload systemd even if no file changed.
    type: bool
    default: false
  restarts:
    description: Units to restart, if they run.
    type: list
    elements: str
    default: []
  settings:
    description: Kernel settings (sysctl) and their values, to set after the files are written.
    type: dict
    default: {}
  manifest:
    description: Path of the manifest on the host.
    type: path
    default: /var/lib/nova-agent/manifest.json
attributes:
  check_mode:
    support: full
    description: Reports what would be changed.
  diff_mode:
    support: full
    description: Shows every changed path.
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Install a script and a link to it
  nova.agent_host.host_state:
    roles:
      - role: example
        entries:
          - path: /opt/example/bin/hello.sh
            content: |
              #!/bin/sh
              echo hello
            mode: "0755"
            validate: sh -n %s
          - path: /usr/local/bin/hello
            kind: link
            target: /opt/example/bin/hello.sh

- name: Remove them
  nova.agent_host.host_state:
    roles:
      - role: example
"""

RETURN = r"""#"""

import shlex
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.desired.shapes import NOT_JUDGED, Conditions, Entry, Unit, Wanted
from ..module_utils.host.systemd import Systemd
from ..module_utils.observed.answers import Outcome
from ..module_utils.state.apply import ApplyError, apply
from ..module_utils.state.change import reason
from ..module_utils.state.manifest import DEFAULT_PATH, ManifestError
from ..module_utils.state.paths import NotJudged, StateError
from ..module_utils.text import outgoing, safe_text

ROLE = {
    "role": {"type": "str", "required": True},
    "entries": {"type": "list", "elements": "dict", "default": []},
    "units": {"type": "list", "elements": "dict", "default": []},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "roles": {"type": "list", "elements": "dict", "required": True, "options": ROLE},
            "reload": {"type": "bool", "default": False},
            "restarts": {"type": "list", "elements": "str", "default": []},
            "settings": {"type": "dict", "default": {}},
            "manifest": {"type": "path", "default": DEFAULT_PATH},
        },
        supports_check_mode=True,
    )

    def validate(command: str, path: str) -> None:
        status, out, err = module.run_command([path if word == "%s" else word for word in shlex.split(command)])
        if status:
            text = safe_text("; ".join((err or out).replace("\r\n", "\n").split("\n")).strip("; "), 1000)
            if status == NOT_JUDGED:
                raise NotJudged(text)
            raise StateError(f"{text} (status {status} of {shlex.split(command)[0]})")

    manifest = module.params["manifest"]
    try:
        wanted = [
            Wanted(
                role["role"],
                tuple(Entry.from_dict(entry) for entry in role["entries"]),
                tuple(Unit(**unit) for unit in role["units"]),
            )
            for role in module.params["roles"]
        ]
        outcome = apply(
            wanted,
            manifest,
            check_mode=module.check_mode,
            validate=validate,
            conditions=Conditions(module.params["reload"], tuple(module.params["restarts"]), module.params["settings"]),
            systemd=Systemd(),
        )
    except ApplyError as error:
        module.fail_json(msg=safe_text(error, 4000), **_answer(module, error.outcome))
    except (StateError, ManifestError) as error:
        module.fail_json(msg=safe_text(error, 4000), changed_paths=[])
    except OSError as error:
        where = error.filename or manifest
        module.fail_json(msg=safe_text(f"{where}: {reason(where, error)}", 4000), changed_paths=[])
    module.exit_json(**_answer(module, outcome))


def _answer(module: AnsibleModule, outcome: Outcome) -> dict[str, Any]:
    """The answer of the module, also after a failure. Passes warnings to Ansible."""
    answer = asdict(outcome)
    if not module._diff:
        del answer["diff"]
    for warning in answer.pop("warnings"):
        module.warn(safe_text(warning))
    for path, why in outcome.left_out.items():
        module.warn(f"{safe_text(path)} is not written: {safe_text(why, 1000)}")
    for path in outcome.kept:
        module.warn(f"{safe_text(path)} is no longer wanted, but was edited or has other content: left in place")
    shown: dict[str, Any] = outgoing(answer)
    return shown


if __name__ == "__main__":
    main()
