# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What is missing is installed, once, and nothing with it that was not asked for."""

from __future__ import annotations

from testinfra.host import Host


def test_the_package_is_there(host: Host) -> None:
    assert host.package("pkg-config").is_installed


def test_it_alone_was_asked_for_and_only_once(host: Host) -> None:
    asked = host.check_output("grep '^Commandline: .*pkg-config' /var/log/apt/history.log")
    assert len(asked.splitlines()) == 1
    assert "build-essential" not in asked
    assert "APT::Install-Recommends=no" in asked
