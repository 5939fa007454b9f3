# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Limits of logins from the real PAM with a separate configuration, and toolchains in homes."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host import deep as host_deep

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="PAM opens sessions for root")
USER = "games"  # an account on every Debian and Ubuntu


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host on which runuser sets limits."""
    (tmp_path / "etc/pam.d").mkdir(parents=True)
    limits = tmp_path / "limits.conf"
    limits.write_text(f"{USER} - as 4194304\n{USER} soft nofile 64\n{USER} hard nofile 128\n{USER} - core 0\n")
    configure(tmp_path, f"session required pam_limits.so conf={limits}\n")
    return tmp_path


def configure(root: Path, lines: str) -> None:
    (root / "etc/pam.d/runuser").write_text(lines)


def test_login_is_not_tried_if_runuser_does_not_load_limits(root):
    configure(root, "#session required pam_limits.so\n")
    login = host_deep.observe_logins([USER], str(root))[USER]
    assert login.limits == {} and "session required pam_limits.so" in login.error
    (root / "etc/pam.d/runuser").unlink()
    login = host_deep.observe_logins([USER], str(root))[USER]
    assert login.limits == {} and "there is no /etc/pam.d/runuser" in login.error


@as_root
def test_limits_of_a_login_are_read_from_pam_in_kernel_units(root):
    before = os.listdir("/proc/self/fd")
    limits = host_deep.observe_logins([USER], str(root))[USER].limits
    assert (limits["as"], limits["nofile"], limits["core"]) == ([4 << 30, 4 << 30], [64, 128], [0, 0])
    assert os.listdir("/proc/self/fd") == before


@as_root
def test_process_of_the_session_belongs_to_root(root):
    """Otherwise the agent could stop it, or change its limits before they are read."""
    uids = root / "uids"
    script = root / "look"
    script.write_text(f"#!/bin/sh\ngrep Uid /proc/$PPID/status >{uids}\n")
    script.chmod(0o755)
    with (root / "etc/pam.d/runuser").open("a") as file:
        file.write(f"session required pam_exec.so {script}\n")
    assert host_deep.observe_logins([USER], str(root))[USER].limits
    assert uids.read_text().split()[1:] == ["0", "0", "0", "0"]


@as_root
def test_failed_login_reports_the_reason_within_its_timeout(root, monkeypatch):
    service = (root / "etc/pam.d/runuser").read_text()
    configure(root, f"{service}session required pam_deny.so\n")
    assert f"no session for {USER}" in host_deep.observe_logins([USER], str(root))[USER].error
    sleep = root / "sleep"
    sleep.write_text("#!/bin/sh\nexec sleep 20\n")
    sleep.chmod(0o755)
    configure(root, f"{service}session required pam_exec.so {sleep}\n")
    monkeypatch.setattr(host_deep, "LOGIN_SECONDS", 1)
    logins = host_deep.observe_logins([USER, "bin", "daemon"], str(root))
    # Each timeout halves the next limit. Otherwise 300 logins could take an hour, and the host would be not checkable.
    for user, seconds in ((USER, "1 s"), ("bin", "0.5 s"), ("daemon", "0.25 s")):
        assert f"within {seconds}" in logins[user].error


def test_rustup_in_a_home_is_found(tmp_path, monkeypatch):
    account = pwd.struct_passwd(("agent1", "x", os.geteuid(), 1, "", str(tmp_path), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: account)
    assert host_deep.observe_own_rustups(["agent1"]) == {}
    (tmp_path / ".rustup").mkdir()
    assert host_deep.observe_own_rustups(["agent1"]) == {"agent1": [f"{tmp_path}/.rustup"]}


@as_root
def test_home_is_read_with_the_rights_of_its_owner(tmp_path, monkeypatch):
    """Otherwise an agent could read the target of its link in the report, with root's rights."""
    (tmp_path / "secret/bin").mkdir(parents=True)
    (tmp_path / "secret/bin/cargo").touch()
    (tmp_path / "secret").chmod(0o700)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".cargo").symlink_to(tmp_path / "secret")
    account = pwd.struct_passwd(("agent1", "x", 54321, 54321, "", str(home), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: account)
    assert host_deep.observe_own_rustups(["agent1"]) == {}
