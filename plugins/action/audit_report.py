# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Action of audit_report: the records of all hosts as a table, JSON and JUnit XML, on the controller."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.nova.agent_host.plugins.module_utils.audit_host import Record
from ansible_collections.nova.agent_host.plugins.module_utils.audit_items import UNKNOWN
from ansible_collections.nova.agent_host.plugins.module_utils.audit_junit import junit
from ansible_collections.nova.agent_host.plugins.module_utils.audit_report import fleet_report, table

SPEC: dict[str, dict[str, Any]] = {
    "variable": {"type": "str", "required": True},
    "json": {"type": "path"},
    "junit": {"type": "path"},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(SPEC)
        report = fleet_report(
            list(_records(task_vars or {}, given["variable"])),
            datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        Display().display(table(report))
        if given["json"]:
            _write("agent_audit_json", given["json"], json.dumps(report, indent=1) + "\n")
        if given["junit"]:
            _write("agent_audit_junit", given["junit"], junit(report))
        return {"changed": False, "status": report["status"], "totals": report["totals"]}


def _records(variables: Mapping[str, Any], name: str) -> Iterator[Record]:
    for host in variables["ansible_play_hosts_all"]:
        try:
            record: Record = variables["hostvars"][host][name]["record"]
        except (KeyError, TypeError):
            record = {"host": host, "status": UNKNOWN, "why": "the audit of this host broke off", "items": []}
        yield record


def _write(variable: str, path: str, text: str) -> None:
    """Whole or not at all: whoever looks sees the old report or the new one."""
    folder = os.path.dirname(os.path.abspath(path))
    new = None
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".audit-", delete=False) as file:
            new = file.name
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(new, 0o666 & ~mask)
        os.replace(new, path)
    except OSError as error:
        if new:
            with contextlib.suppress(OSError):
                os.unlink(new)
        raise AnsibleActionFail(
            f"{variable} is {path}, which can't be written ({error.strerror}): name a file in a folder that exists"
        ) from None
