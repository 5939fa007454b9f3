# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What is asked of programs, with a stand-in for runuser that answers as the real one did on a host."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.audit import observe as audit_observe
from ansible_collections.nova.agent_host.plugins.module_utils.host import programs

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max core file size        0                    0                    bytes     
Max open files            1024                 4096                 files     
Max address space         68719476736          68719476736          bytes     
"""  # noqa: W291 as the kernel writes it


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Make a program that says something, found before all others."""
    monkeypatch.setitem(programs.ENVIRONMENT, "PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def root(tmp_path):
    """A host on which runuser sets limits."""
    (tmp_path / "etc/pam.d").mkdir(parents=True)
    (tmp_path / "etc/pam.d/runuser").write_text("session required pam_limits.so\n")
    return str(tmp_path)


def test_a_runuser_without_limits_is_no_login_to_try(program, root, tmp_path):
    program("runuser", f"touch {tmp_path}/ran")
    path = tmp_path / "etc/pam.d/runuser"
    path.write_text("#session required pam_limits.so\n")
    assert audit_observe.observe_login("agent1", root) == {
        "error": "/etc/pam.d/runuser does not load pam_limits: add `session required pam_limits.so`"
    }
    path.unlink()
    assert audit_observe.observe_login("agent1", root) == {
        "error": "there is no /etc/pam.d/runuser: install what brings it"
    }
    assert not (tmp_path / "ran").exists()


def test_the_limits_of_a_login_are_read_in_the_kernels_units(program, root, tmp_path):
    program("runuser", f"echo \"$@\" >{tmp_path}/asked\ncat <<'END'\n{LIMITS}END\n")
    assert audit_observe.observe_login("agent1", root) == {
        "limits": {"as": [64 << 30, 64 << 30], "core": [0, 0], "cpu": [None, None], "nofile": [1024, 4096]}
    }
    assert (tmp_path / "asked").read_text() == "-u agent1 -- cat /proc/self/limits\n"


def test_a_login_that_does_not_come_about_says_why(program, root, monkeypatch):
    program("runuser", "echo 'runuser: cannot open session: Permission denied' >&2; exit 1")
    assert audit_observe.observe_login("agent1", root) == {
        "error": "runuser ended with status 1: runuser: cannot open session: Permission denied"
    }
    program("runuser", "exec sleep 60")
    monkeypatch.setattr(programs, "PATIENCE", 0.05)
    assert audit_observe.observe_login("agent1", root) == {"error": "runuser did not answer within 0.05 s"}
    program("runuser", "").chmod(0o644)
    monkeypatch.setitem(programs.ENVIRONMENT, "PATH", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "runuser" in audit_observe.observe_login("agent1", root)["error"]


def test_a_rustup_in_a_home_is_found(tmp_path, monkeypatch):
    account = pwd.struct_passwd(("agent1", "x", 1, 1, "", str(tmp_path), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: account)
    assert audit_observe.observe_own_rustups(["agent1"]) == {}
    (tmp_path / ".rustup").mkdir()
    assert audit_observe.observe_own_rustups(["agent1"]) == {"agent1": [f"{tmp_path}/.rustup"]}


def test_accounts_that_are_not_there_are_left_out():
    assert audit_observe.existing(["root", "nobody-of-that-name"]) == ["root"]
