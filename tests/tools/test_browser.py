# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Where no browser opens a page, the reason says what to do."""

from __future__ import annotations

import browser
import pytest


def test_no_browser_at_all(monkeypatch):
    monkeypatch.setattr(browser, "PROGRAM", None)
    assert browser.unusable() == (
        "no chromium on PATH: make integration installs it where it may (Debian: apt-get install chromium)"
    )


@pytest.mark.parametrize(
    ("script", "why"),
    [
        # A STAND-IN for the program of Ubuntu's package.
        ("#!/bin/sh\necho 'Command requires the chromium snap to be installed.' >&2\nexit 1\n", "opens no file below /tmp (a snap? use a real package): Command requires the chromium snap to be installed."),
        ("#!/bin/sh\n", "opens no file below /tmp (a snap? use a real package): it said nothing"),
        ("#!/nowhere/sh\n", "does not start: [Errno 2] No such file or directory: '{}'"),
    ],
)  # fmt: skip
def test_a_browser_that_opens_nothing(monkeypatch, tmp_path, script, why):
    stand_in = tmp_path / "chromium"
    stand_in.write_text(script)
    stand_in.chmod(0o755)
    monkeypatch.setattr(browser, "PROGRAM", str(stand_in))
    monkeypatch.setattr(browser.tempfile, "gettempdir", lambda: "/tmp")
    assert browser.unusable() == f"{stand_in} {why.format(stand_in)}"
