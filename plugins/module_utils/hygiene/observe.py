# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What one look at a host tells of its hygiene: which audit logs are open to others."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.audit_log import hold_audit_logs
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import FILE, HygieneError, load_policy
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.text import outgoing


def observe_audit_logs(manifest: Manifest) -> list[dict[str, Any]]:
    """What is wrong with the audit logs that this host is to hold, as it was last told. Changes nothing."""
    paths = manifest.roles.get("agent_hygiene", {}).get("paths", {})
    for path in (path for path in paths if path.endswith("/" + FILE)):
        try:
            logs = load_policy(path).audit_logs
        except HygieneError:
            return []  # the role writes it anew
        return [outgoing(asdict(finding)) for finding in hold_audit_logs(logs, repair=False)]
    return []
