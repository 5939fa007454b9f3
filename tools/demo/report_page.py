#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Write the report's page of a FIXTURE fleet of --hosts hosts. With --picture, also make a picture of it with Chromium.

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
    parser.add_argument("--hostile", action="store_true", help="give the first hosts hostile names")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    options = parser.parse_args()
    page = report_page(fixture_fleet(options.hosts, options.hostile), "2026-01-02T03:04:59Z")
    options.page.write_text(page, encoding="utf-8")
    if options.picture:
        with Browser(options.width, options.height, options.dark) as browser:
            browser.open(options.page.absolute())
            browser.run(LABEL)
            browser.picture(options.picture)


if __name__ == "__main__":
    main()
