# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What the one look tells of audit logs."""

from __future__ import annotations

import json

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene import observe as hygiene_observe
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest


def manifest(*paths):
    return Manifest({"agent_hygiene": {"paths": {path: {} for path in paths}, "trees": []}})


def test_audit_logs_are_those_that_the_host_was_told_of(tmp_path):
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "hygiene.json"
    file.write_text(
        json.dumps(
            {
                "target_max": "1G", "workspaces": [], "group": "g", "report": "r",
                "audit_logs": [{"path": f"{tmp_path}/gone/audit.log", "owner": "root"}],
            }
        )
    )  # fmt: skip
    told = [{"path": f"{tmp_path}/gone/audit.log", "kind": "refused", "text": f"{tmp_path}/gone is no folder"}]
    assert hygiene_observe.observe_audit_logs(manifest(str(file))) == told
    file.write_text("damaged")
    assert hygiene_observe.observe_audit_logs(manifest(str(file))) == []
    assert hygiene_observe.observe_audit_logs(manifest()) == []
