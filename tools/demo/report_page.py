#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Write the report's page of a FIXTURE fleet of --hosts hosts; with --picture also a picture of it, by Chromium.

python tools/demo/report_page.py --hosts 12 --picture docs/report.png page.html
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ansible_collections.nova.agent_host.plugins.plugin_utils.report_page import report_page
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.fixture_fleet import fixture_fleet

sys.path.append(str(Path(__file__).parents[1]))
from browser import Browser

LABEL = "document.querySelector('h1').append(' (FIXTURE fleet, no real hosts)')"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--hostile", action="store_true", help="give the first hosts names that try to do harm")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    given = parser.parse_args()
    page = report_page(fixture_fleet(given.hosts, given.hostile), "2026-01-02T03:04:59Z")
    given.page.write_text(page, encoding="utf-8")
    if given.picture:
        with Browser(given.width, given.height, given.dark) as browser:
            browser.open(given.page.absolute())
            browser.run(LABEL)
            browser.picture(given.picture)


if __name__ == "__main__":
    main()
