# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Files on the controller are old or new, and nothing is left beside them."""

from __future__ import annotations

import os

import pytest
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import write_whole


def test_a_file_is_replaced_with_the_mode_that_the_umask_gives(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    mask = os.umask(0o027)
    try:
        write_whole(str(path), "new ✓")
    finally:
        os.umask(mask)
    assert path.read_text(encoding="utf-8") == "new ✓"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["page.html"]


def test_what_can_not_be_written_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(str(path), "\ud800")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["page.html"]


def test_a_folder_in_its_place_and_one_that_is_missing_are_errors(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_whole(str(tmp_path), "new")
    with pytest.raises(FileNotFoundError):
        write_whole(str(tmp_path / "none/page.html"), "new")
    assert os.listdir(tmp_path) == []
