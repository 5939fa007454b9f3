# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Files on the controller are old or new, and nothing is left beside them."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import ReportError, write_report, write_reports


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
    with pytest.raises(ReportError) as failed:
        write_report("agent_audit_json", str(path), "new")
    assert str(failed.value) == (
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
    with pytest.raises(ReportError) as failed:
        write_report("agent_report_path", str(path), "new")
    assert str(failed.value) == (
        f"agent_report_path is {path}, which can't be written ({why}): name a file in a folder that exists"
    )
    assert os.listdir(tmp_path) == []


def test_a_link_stays_and_leads_to_the_new_file(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served/page.html").write_text("old")
    (tmp_path / "near.html").symlink_to("served/page.html")
    (tmp_path / "page.html").symlink_to(tmp_path / "near.html")
    write_report("agent_report_path", str(tmp_path / "page.html"), "new")
    assert (tmp_path / "page.html").is_symlink() and (tmp_path / "near.html").is_symlink()
    assert (tmp_path / "served/page.html").read_text() == "new" and os.listdir(tmp_path / "served") == ["page.html"]


def test_a_link_to_nothing_leads_to_the_new_file_and_one_to_itself_is_an_error(tmp_path):
    (tmp_path / "page.html").symlink_to("there.html")
    write_report("agent_report_path", str(tmp_path / "page.html"), "new")
    assert (tmp_path / "there.html").read_text() == "new" and (tmp_path / "page.html").is_symlink()
    path = tmp_path / "loop"
    path.symlink_to("loop")
    with pytest.raises(ReportError) as failed:
        write_report("agent_report_path", str(path), "new")
    assert str(failed.value) == (
        f"agent_report_path is {path}, which can't be written (Too many levels of symbolic links): name a file in a folder that exists"
    )


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
def test_what_is_no_file_stays(tmp_path, kind, linked):
    path = there = tmp_path / "there"
    if kind == "FIFO":
        os.mkfifo(there)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(there))
    else:
        try:
            os.mknod(there, stat.S_IFCHR | 0o600, os.makedev(1, 3))  # a second /dev/null
        except PermissionError as error:
            pytest.skip(f"no device can be made here: {error.strerror} (needs root)")
    before = there.lstat()
    if linked:
        path = tmp_path / "link"
        path.symlink_to(there)
    with pytest.raises(ReportError) as failed:
        write_report("agent_audit_json", str(path), "new")
    assert str(failed.value) == (
        f"agent_audit_json is {path}, a {kind}, whose place a report would take: name a regular file"
    )
    assert (there.lstat().st_ino, there.lstat().st_mode) == (before.st_ino, before.st_mode)


def test_standard_output_is_no_place_for_a_report_also_where_it_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReportError) as failed:
        write_report("agent_audit_json", "-", "new")
    assert str(failed.value) == (
        "agent_audit_json is -, but standard output has Ansible's own lines: name a regular file"
    )
    with open("output.txt", "w") as output:
        path = f"/dev/fd/{output.fileno()}"
        with pytest.raises(ReportError) as failed:
            write_report("agent_audit_json", path, "new")
    assert str(failed.value) == f"agent_audit_json is {path}, what a process has open: name a regular file"
    assert os.listdir(tmp_path) == ["output.txt"] and Path("output.txt").read_text() == ""


def test_a_report_that_can_not_be_written_takes_no_other_with_it(tmp_path):
    problems = write_reports(
        {"one": ("/nowhere/a.json", "x"), "two": (str(tmp_path / "b.xml"), "new"), "three": ("-", "")}
    )
    assert problems == [
        "one is /nowhere/a.json, which can't be written (No such file or directory): name a file in a folder that exists",
        "three is -, but standard output has Ansible's own lines: name a regular file",
    ]
    assert (tmp_path / "b.xml").read_text() == "new"
