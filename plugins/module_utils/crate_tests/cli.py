# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
# (runs without AnsibleModule)
"""The command line of check-test-layout."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from ..text import LONGEST_PATH, safe_text
from .check import check
from .workspace import WorkspaceError

DESCRIPTION = """Find loose tests/*.rs files in a Cargo workspace. Cargo compiles and links one binary for each of
them. A file is not loose if it is a harness: a [[test]] entry of Cargo.toml names it, or it has a folder of the same
name (tests/parser_tests.rs and tests/parser/)."""


def main() -> int:
    """Return 0, 1 if there are loose files, or 2 if the workspace can't be read."""
    parser = argparse.ArgumentParser(prog="check-test-layout", description=DESCRIPTION)
    parser.add_argument(
        "folder", nargs="?", default=".", help="a folder of a Cargo workspace (default: the current one)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    try:
        packages, loose = check(options.folder)
    except WorkspaceError as error:
        print(f"check-test-layout: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"packages": packages, "loose": [asdict(file) for file in loose]}, indent=2))
    else:
        for file in loose:
            print(safe_text(file.line(), 4 * LONGEST_PATH))
        if loose:
            print(f"{len(loose)} loose test files in {packages} packages", file=sys.stderr)
    return int(bool(loose))
