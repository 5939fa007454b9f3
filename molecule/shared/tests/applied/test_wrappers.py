# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""An agent builds under the cap and with a slot. Commands that the guide forbids are refused."""

from __future__ import annotations

import pytest
from testinfra.host import Host

BIN = "/opt/nova-agent/bin"
# A real cargo can build this crate too. It stays for the tests of retired hosts.
CRATE = "mkdir -p crate/src && cd crate && touch src/lib.rs && printf '[package]\\nname = \"crate\"\\n' >Cargo.toml"


@pytest.mark.parametrize("name", ["run_limited.sh", "cargo_agent.sh"])
def test_wrapper_belongs_to_root_and_all_accounts_can_run_it(host: Host, name: str) -> None:
    file = host.file(f"{BIN}/{name}")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o755)


def test_command_runs_under_the_cap(agent) -> None:
    done = agent(f"{BIN}/run_limited.sh grep 'Max address space' /proc/self/limits")
    assert done.stdout.split()[3:5] == [str(4 << 30), str(4 << 30)]


@pytest.mark.parametrize("cargo", [f"bash {BIN}/cargo_agent.sh", "cargo"])
def test_agent_builds(agent, cargo: str) -> None:
    built = agent(f"{CRATE} && {cargo} build --offline")
    assert built.rc == 0, built.stderr


@pytest.mark.parametrize("cargo", [f"bash {BIN}/cargo_agent.sh", "cargo"])
def test_test_run_without_a_package_is_refused(agent, cargo: str) -> None:
    refused = agent(f"{CRATE} && {cargo} test")
    assert refused.rc == 2
    assert "cargo_agent: " in refused.stderr


def test_pool_belongs_to_root_and_agents_can_use_it(host: Host) -> None:
    file = host.file("/run/nova-agent/pool")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)
    number = file.content_string.split()[0]
    group = host.group("nova-agents").gid
    lines = host.file("/proc/sysvipc/sem").content_string.splitlines()
    line = next(line for line in lines if line.split()[1] == number)
    mode, owner, owner_group = (line.split()[column] for column in (2, 4, 5))
    assert (int(mode, 8), int(owner), int(owner_group)) == (0o664, 0, group)
