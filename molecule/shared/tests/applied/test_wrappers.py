# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""An agent builds under the cap, in turn, and is refused what the guide forbids."""

from __future__ import annotations

import pytest
from testinfra.host import Host

BIN = "/opt/nova-agent/bin"
# A crate that a real cargo builds too; it stays, and the tests of retired hosts ask for it.
CRATE = "mkdir -p crate/src && cd crate && touch src/lib.rs && printf '[package]\\nname = \"crate\"\\n' >Cargo.toml"


@pytest.mark.parametrize("name", ["run_limited.sh", "cargo_agent.sh"])
def test_a_wrapper_is_roots_and_runs_for_everyone(host: Host, name: str) -> None:
    file = host.file(f"{BIN}/{name}")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o755)


def test_a_command_runs_under_the_cap(agent) -> None:
    said = agent(f"{BIN}/run_limited.sh grep 'Max address space' /proc/self/limits")
    assert said.stdout.split()[3:5] == [str(4 << 30), str(4 << 30)]


@pytest.mark.parametrize("cargo", [f"bash {BIN}/cargo_agent.sh", "cargo"])
def test_an_agent_builds(agent, cargo: str) -> None:
    built = agent(f"{CRATE} && {cargo} build --offline")
    assert built.rc == 0, built.stderr


@pytest.mark.parametrize("cargo", [f"bash {BIN}/cargo_agent.sh", "cargo"])
def test_a_test_of_everything_is_refused(agent, cargo: str) -> None:
    refused = agent(f"{CRATE} && {cargo} test")
    assert refused.rc == 2
    assert "cargo_agent: " in refused.stderr


def test_slots_are_for_agents_only(host: Host) -> None:
    folder = host.file("/run/nova-agent/slots")
    assert (folder.user, folder.group, folder.mode) == ("root", "nova-agents", 0o750)
    modes = {name: host.file(f"/run/nova-agent/slots/{name}").mode for name in folder.listdir()}
    count = len(modes) // 2
    assert count
    # Agents lock a slot, and write down who holds it.
    numbers = range(1, count + 1)
    assert modes == {"turn": 0o640, **{f"slot.{n}": 0o640 for n in numbers}, **{f"holder.{n}": 0o660 for n in numbers}}
    owners = host.check_output("find /run/nova-agent/slots -mindepth 1 -printf '%u:%g\\n' | sort -u")
    assert owners == "root:nova-agents"
