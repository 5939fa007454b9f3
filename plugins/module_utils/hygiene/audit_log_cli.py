# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (no AnsibleModule here, whose functions pylint would have)
"""The command line of agent-audit-log."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.audit_log import LEFT, hold_audit_logs
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import HygieneError, load_policy
from ansible_collections.nova.agent_host.plugins.module_utils.text import outgoing

DESCRIPTION = """Make the configured AI audit logs, and narrow them and their rotations to 0600 of their owner. What
was wider is told as a warning."""


def main(policy_file: str, arguments: Sequence[str] | None = None) -> int:
    """Gives 0; 1 where a log was left as it is; 2 where nothing was tried."""
    parser = argparse.ArgumentParser(prog="agent-audit-log", description=DESCRIPTION)
    parser.add_argument("-n", "--dry-run", action="store_true", help="tell what is wrong, and change nothing")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    options = parser.parse_args(arguments)
    try:
        policy = load_policy(policy_file)
    except HygieneError as error:
        print(f"agent-audit-log: {error}", file=sys.stderr)
        return 2
    findings = hold_audit_logs(policy.audit_logs, not options.dry_run)
    if options.json:
        print(json.dumps(outgoing([asdict(finding) for finding in findings]), indent=2))
    else:
        for finding in findings:
            told = finding.line(repaired=not options.dry_run)
            print(told if finding.kind == "missing" else f"warning: {told}")
    return int(any(finding.kind in LEFT for finding in findings))
