# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Everyone has the pinned Rust, whatever his environment, and no agent can change it."""

from __future__ import annotations

import pytest
from testinfra.host import Host


@pytest.mark.parametrize("tool", ["cargo", "rustc", "rustfmt", "cargo-clippy", "rustup"])
def test_a_tool_is_found_without_a_profile(host: Host, tool: str) -> None:
    # What cron gives its jobs, with the folder that every login of Ubuntu has.
    said = host.run(f"sudo -u agent1 env -i HOME=/home/agent1 PATH=/usr/local/bin:/usr/bin:/bin {tool} --version")
    assert said.rc == 0, said.stderr
    assert ("1.29.0" if tool == "rustup" else "1.92.0") in said.stdout


def test_an_agent_can_write_to_nothing_of_it(agent) -> None:
    writable = agent("find /opt/nova-agent /var/lib/nova-agent -writable ! -type l")
    assert (writable.stdout, writable.stderr) == ("", "")


def test_all_of_it_is_roots(host: Host) -> None:
    assert host.check_output("find /opt/nova-agent ! '(' -user root -group root ')'") == ""


def test_an_agent_who_tries_is_told_whom_to_ask(agent) -> None:
    refused = agent("rustup toolchain install 1.91.0")
    assert refused.rc == 1
    assert "an administrator changes it with agent_toolchain_" in refused.stderr
