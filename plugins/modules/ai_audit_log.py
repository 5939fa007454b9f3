#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: AI audit logs that only their owners can read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ai_audit_log
short_description: Ensure that AI audit logs have mode 0600 and belong to their owner
version_added: 0.1.0
description:
  - Creates missing logs, and changes logs and their rotations (C(NAME.1), C(NAME-20261123.gz)) to mode C(0600).
  - A log that can't be corrected does not change, and the task does not fail.
  - Each log with a wrong mode or owner is a warning.
  - Links are not followed. If accounts other than root can change the folder, the module has only the rights of the
    log's owner, and ten seconds for each log.
options:
  logs:
    description: The logs.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path. Its folder must exist, and no part of it may be a symbolic link.
        type: str
        required: true
      owner:
        description: The account that writes it.
        type: str
        required: true
attributes:
  check_mode:
    support: full
    description: Reports problems without changing anything.
  diff_mode:
    support: full
    description: Shows each wrong path and its correction.
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Ensure that only the account can read its audit log
  nova.agent_host.ai_audit_log:
    logs:
      - {path: /var/log/nova-audit.log, owner: games}
"""

RETURN = r"""
findings:
  description: Problems. Those of the kinds C(refused) and C(ownerless) are not corrected.
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: The log or one of its rotations., type: str}
    kind: {description: "C(missing), C(wide), C(foreign), C(refused) or C(ownerless).", type: str}
    text: {description: What is wrong., type: str}
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.hygiene.audit_log import LEFT, ensure_audit_logs
from ..module_utils.hygiene.policy import AuditLog
from ..module_utils.text import and_more, outgoing


def main() -> None:
    log = {"path": {"type": "str", "required": True}, "owner": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={"logs": {"type": "list", "elements": "dict", "required": True, "options": log}},
        supports_check_mode=True,
    )
    repair = not module.check_mode
    findings = ensure_audit_logs([AuditLog(**log) for log in module.params["logs"]], repair)
    # In check mode, the account can be missing, because an earlier task would create it.
    changes = [
        finding for finding in findings if finding.kind not in LEFT or (finding.kind == "ownerless" and not repair)
    ]
    warnings = [
        finding.line(repair)
        for finding in findings
        if finding.kind != "missing" and not (finding in changes and finding.kind in LEFT)
    ]
    for line in and_more(warnings):
        module.warn(line)
    diff = {
        "before": "".join(f"{finding.path} {finding.text}\n" for finding in changes),
        "after": "".join(f"{finding.path} mode 0600 of its owner\n" for finding in changes),
    }
    answer = {"findings": [asdict(finding) for finding in findings], "diff": diff}
    module.exit_json(changed=bool(changes), **outgoing(answer))


if __name__ == "__main__":
    main()
