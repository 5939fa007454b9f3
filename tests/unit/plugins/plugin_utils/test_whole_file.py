# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Files on the controller are old or new, and nothing is left beside them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import write_report


def test_a_file_is_replaced_with_the_mode_that_the_umask_gives(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    mask = os.umask(0o027)
    try:
        write_report("agent_report_path", str(path), "new ✓")
    finally:
        os.umask(mask)
    assert path.read_text(encoding="utf-8") == "new ✓"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_report_is_made_where_it_will_stand_and_not_on_another_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    monkeypatch.chdir(tmp_path)
    write_report("agent_report_path", "page.html", "new")
    assert (tmp_path / "page.html").read_text() == "new" and os.listdir(tmp_path) == ["page.html"]


def test_a_full_disk_leaves_the_old_file_alone_and_names_the_variable(tmp_path, monkeypatch):
    path = tmp_path / "audit.json"
    path.write_text("old")

    def full(*_given, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(AnsibleActionFail) as failed:
        write_report("agent_audit_json", str(path), "new")
    assert failed.value.message == (
        f"agent_audit_json is {path}, which can't be written (No space left on device): name a file in a folder that exists"
    )
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["audit.json"]


def test_text_that_is_none_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_report("agent_report_path", str(path), "\ud800")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["page.html"]


@pytest.mark.parametrize(("name", "why"), [("", "Is a directory"), ("none/page.html", "No such file or directory")])
def test_a_folder_in_its_place_and_one_that_is_missing_are_errors(tmp_path, name, why):
    path = tmp_path / name
    with pytest.raises(AnsibleActionFail) as failed:
        write_report("agent_report_path", str(path), "new")
    assert failed.value.message == (
        f"agent_report_path is {path}, which can't be written ({why}): name a file in a folder that exists"
    )
    assert os.listdir(tmp_path) == []
