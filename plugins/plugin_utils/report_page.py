# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The report as one HTML page without other files.

Host names, paths and messages are not trusted. Jinja escapes each value, characters that hide or reverse text are
written as escapes, and the page's Content-Security-Policy runs no script but the page's own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..module_utils.audit.report import HOST_STATUSES, WORDS
from ..module_utils.compare.items import OK
from ..module_utils.report.bar import PARTS
from ..module_utils.report.rows import Audited, fleet_rows, fleet_totals
from ..module_utils.sizes import readable_size
from ..module_utils.text import counted, safe_lines
from ..module_utils.version import COLLECTION, VERSION

STATUSES = {status: "ok" if status == OK else WORDS[status] for status in HOST_STATUSES}
FOLDER = Path(__file__).parents[2] / "playbooks/templates/report"


def report_page(hosts: Sequence[Audited], written_at: str) -> str:
    """``written_at`` is UTC, as in 2026-01-02T03:04:05Z."""
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
    environment.filters.update(size=readable_size, count="{:,}".format, counted=counted)
    return environment.get_template("page.html.j2").render(
        rows=fleet_rows(hosts),
        totals=fleet_totals(hosts),
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
    """The source expression of a Content-Security-Policy for an inline element with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _visible(value: Any) -> Any:
    """Called for each value that the template prints."""
    return safe_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value
