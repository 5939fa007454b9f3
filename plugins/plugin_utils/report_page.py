# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The report as one HTML page that needs nothing beside itself.

Host names, messages of tools and paths are whatever somebody else wrote: Jinja escapes every value, characters that
can't be seen or that turn the text around are spelled out, and the page's policy runs no script but its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from ansible_collections.nova.agent_host.plugins.module_utils.audit.record import UNREACHABLE
from ansible_collections.nova.agent_host.plugins.module_utils.compare.items import DRIFTED, OK, UNKNOWN
from ansible_collections.nova.agent_host.plugins.module_utils.report.bar import PARTS
from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import Row, Totals
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import readable_size
from ansible_collections.nova.agent_host.plugins.module_utils.text import safe_lines
from ansible_collections.nova.agent_host.plugins.module_utils.version import COLLECTION, VERSION
from markupsafe import Markup

STATUSES = {OK: "as it should be", DRIFTED: "drifted", UNKNOWN: "not checkable", UNREACHABLE: "not reached"}
FOLDER = Path(__file__).parents[2] / "playbooks/templates/report"


def report_page(rows: Sequence[Row], totals: Totals, written_at: str) -> str:
    """The page for what ``fleet_rows`` and ``fleet_totals`` gave; ``written_at`` as in 2026-01-02T03:04:05Z."""
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(size=readable_size, count="{:,}".format)
    return environment.get_template("page.html.j2").render(
        rows=rows,
        totals=totals,
        parts=PARTS,
        statuses=STATUSES,
        collection=COLLECTION,
        version=VERSION,
        written_at=written_at,
        policy=f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),
        script=Markup(script),
    )


def _source(text: str) -> str:
    """What a Content-Security-Policy calls an element with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _visible(value: Any) -> Any:
    """What a template puts out."""
    return safe_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value
