# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A missing package is installed once, and no other package with it."""

from __future__ import annotations

from testinfra.host import Host


def test_missing_package_is_installed(host: Host) -> None:
    assert host.package("pkg-config").is_installed


def test_only_the_missing_package_was_installed_and_only_once(host: Host) -> None:
    commands = host.check_output("grep '^Commandline: .*pkg-config' /var/log/apt/history.log")
    assert len(commands.splitlines()) == 1
    assert "build-essential" not in commands
    assert "APT::Install-Recommends=no" in commands
