# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""On a machine that can't run a virtual one the tests are skipped, with what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from machine import CannotRunError, Machine


def test_without_the_emulator_the_tests_are_skipped_and_say_what_to_install(tmp_path, monkeypatch):
    for program in ("bash", "cat", "dirname", "env", "rm", "uname"):
        (tmp_path / program).symlink_to(Path(shutil.which(program)).resolve())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRunError) as caught:
        Machine("nowhere")
    assert str(caught.value).startswith("test vm: qemu-system-x86_64 is missing (Debian: apt-get install")
