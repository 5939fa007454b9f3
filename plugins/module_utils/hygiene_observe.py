# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (no AnsibleModule here, whose functions pylint would have)
"""What one look at a host tells of its hygiene: whether the units of the collection run, and which audit logs are
open to others."""

from __future__ import annotations

import re
import subprocess
from dataclasses import asdict
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.ai_audit_log import hold_audit_log
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene_policy import FILE, HygieneError, load_policy
from ansible_collections.nova.agent_host.plugins.module_utils.manifest import Manifest

UNIT = re.compile(r"/etc/systemd/system/([^/]+\.(?:timer|path|socket))")


def observe_units(manifest: Manifest) -> dict[str, str]:
    """Timers and the like that were written, with systemd's ActiveState: ``{"nova-agent-sweep.timer": "active"}``.

    Starts one process, and none where there are no such units. ``unknown`` where systemd does not answer.
    """
    paths = [path for role in manifest.roles.values() for path in role["paths"]]
    names = sorted(match[1] for match in map(UNIT.fullmatch, paths) if match)
    if not names:
        return {}
    command = ["systemctl", "show", "--property=ActiveState", "--value", "--", *names]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    states = done.stdout.split()
    return dict(zip(names, states if len(states) == len(names) else ["unknown"] * len(names)))


def observe_audit_logs(manifest: Manifest) -> list[dict[str, Any]]:
    """What is wrong with the audit logs that this host is to hold, as it was last told. Changes nothing."""
    paths = manifest.roles.get("agent_hygiene", {}).get("paths", {})
    for path in (path for path in paths if path.endswith("/" + FILE)):
        try:
            logs = load_policy(path).audit_logs
        except HygieneError:
            return []  # the role writes it anew
        return [asdict(finding) for log in logs for finding in hold_audit_log(log.path, log.owner, repair=False)]
    return []
