# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""All accounts have the pinned Rust in any environment, and no agent can change it."""

from __future__ import annotations

import pytest
from testinfra.host import Host


@pytest.mark.parametrize("tool", ["cargo", "rustc", "rustfmt", "cargo-clippy", "rustup"])
def test_tool_is_found_without_a_profile(host: Host, tool: str) -> None:
    # The environment of cron's jobs, with a PATH that each login on Ubuntu has.
    done = host.run(f"sudo -u agent1 env -i HOME=/home/agent1 PATH=/usr/local/bin:/usr/bin:/bin {tool} --version")
    assert done.rc == 0, done.stderr
    assert ("1.29.0" if tool == "rustup" else "1.92.0") in done.stdout


def test_agent_can_write_to_no_file_of_the_toolchain(agent) -> None:
    writable = agent("find /opt/nova-agent /var/lib/nova-agent -writable ! -type l")
    assert (writable.stdout, writable.stderr) == ("", "")


def test_all_files_of_the_toolchain_belong_to_root(host: Host) -> None:
    assert host.check_output("find /opt/nova-agent ! '(' -user root -group root ')'") == ""


def test_refused_change_by_an_agent_names_the_operator(agent) -> None:
    refused = agent("rustup toolchain install 1.91.0")
    assert refused.rc == 1
    assert "an operator can change it with agent_toolchain_" in refused.stderr
