# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (runs without AnsibleModule)
"""The command line of agent-audit-log."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from ..text import outgoing
from .audit_log import LEFT, ensure_audit_logs
from .policy import HygieneError, load_policy

DESCRIPTION = """Create the configured AI audit logs, and change them and their rotations to mode 0600 and their
owner. Each correction is printed as a warning."""


def main(policy_file: str) -> int:
    """Return 0; 1 if a log could not be corrected; 2 if nothing was tried."""
    parser = argparse.ArgumentParser(prog="agent-audit-log", description=DESCRIPTION)
    parser.add_argument("-n", "--dry-run", action="store_true", help="report problems, and change nothing")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    options = parser.parse_args()
    try:
        policy = load_policy(policy_file)
    except HygieneError as error:
        print(f"agent-audit-log: {error}", file=sys.stderr)
        return 2
    findings = ensure_audit_logs(policy.audit_logs, not options.dry_run)
    if options.json:
        print(json.dumps(outgoing([asdict(finding) for finding in findings]), indent=2))
    else:
        for finding in findings:
            line = finding.line(repaired=not options.dry_run)
            print(line if finding.kind == "missing" else f"warning: {line}")
    return int(any(finding.kind in LEFT for finding in findings))
