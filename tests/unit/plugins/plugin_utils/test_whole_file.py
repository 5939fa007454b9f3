# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Reports on the controller are replaced completely or not at all, and leave no other files."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.plugin_utils.whole_file import ReportError, write_report, write_reports


def test_file_is_replaced_with_the_mode_of_the_umask(tmp_path):
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


def test_relative_path_is_written_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    monkeypatch.chdir(tmp_path)
    write_report("agent_report_path", "page.html", "new")
    assert (tmp_path / "page.html").read_text() == "new" and os.listdir(tmp_path) == ["page.html"]


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "audit.json"
    path.write_text("old")

    def full(*_given, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportError, match=rf"^agent_audit_json is {path}, .*No space left"):
        write_report("agent_audit_json", str(path), "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["audit.json"]


@pytest.mark.parametrize("name", ["", "none/page.html"])
def test_folder_at_the_path_and_missing_parent_are_errors(tmp_path, name):
    with pytest.raises(ReportError, match=r"^agent_report_path is "):
        write_report("agent_report_path", str(tmp_path / name), "new")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("exists", [True, False])
def test_links_stay_and_their_target_is_written(tmp_path, exists):
    (tmp_path / "served").mkdir()
    if exists:
        (tmp_path / "served/page.html").write_text("old")
    (tmp_path / "near.html").symlink_to("served/page.html")
    (tmp_path / "page.html").symlink_to(tmp_path / "near.html")
    write_report("agent_report_path", str(tmp_path / "page.html"), "new")
    assert (tmp_path / "page.html").is_symlink() and (tmp_path / "near.html").is_symlink()
    assert (tmp_path / "served/page.html").read_text() == "new" and os.listdir(tmp_path / "served") == ["page.html"]


@pytest.mark.parametrize("kind", ["FIFO", "socket", "device"])
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
def test_special_files_stay(tmp_path, kind, linked):
    path = special = tmp_path / "special"
    if kind == "FIFO":
        os.mkfifo(special)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(special))
    else:
        try:
            os.mknod(special, stat.S_IFCHR | 0o600, os.makedev(1, 3))  # a second /dev/null
        except PermissionError as error:
            pytest.skip(f"devices can't be created here: {error.strerror} (needs root)")
    before = special.lstat()
    if linked:
        path = tmp_path / "link"
        path.symlink_to(special)
    with pytest.raises(ReportError, match=rf"^agent_audit_json is {path}, "):
        write_report("agent_audit_json", str(path), "new")
    assert (special.lstat().st_ino, special.lstat().st_mode) == (before.st_ino, before.st_mode)


def test_standard_output_is_refused_even_if_it_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open("output.txt", "w") as output:
        for path in ("-", "/dev/stdout", f"/dev/fd/{output.fileno()}", f"/proc/self/fd/{output.fileno()}"):
            with pytest.raises(ReportError, match=rf"^agent_audit_json is {path}, "):
                write_report("agent_audit_json", path, "new")
    assert os.listdir(tmp_path) == ["output.txt"] and Path("output.txt").read_text() == ""


def test_failed_file_does_not_stop_the_others(tmp_path):
    reports = {"one": ("/nowhere/a.json", "x"), "two": (str(tmp_path / "b.xml"), "new"), "three": ("-", "")}
    assert [problem.split()[0] for problem in write_reports(reports)] == ["one", "three"]
    assert (tmp_path / "b.xml").read_text() == "new"
