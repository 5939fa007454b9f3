# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The guide on a host: an agent runs each of its commands in a real crate."""

from __future__ import annotations

import base64
import io
import re
import shlex
import tarfile

import pytest

GUIDE = "/opt/nova-agent/GUIDE.md"
CRATE = {
    "Cargo.toml": '[package]\nname = "nova-core"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "nova-core"\nversion = "0.1.0"\n',
    "src/lib.rs": "#[test]\nfn sums() {\n    assert_eq!(1 + 1, 2);\n}\n",
    "src/main.rs": 'fn main() {\n    println!("nova");\n}\n',
    "tests/parser_tests.rs": "mod parser;\n",
    "tests/parser/mod.rs": "#[test]\nfn runs() {}\n",
    "my-program": "#!/bin/sh\nulimit -v\n",
}
AGENTS = {"agent_policy_users": ["agent1"], "agent_policy_create_users": True}


@pytest.fixture(scope="module")
def policy(lab):
    variables = {**AGENTS, **lab.serve_toolchain("toolchain")}
    lab.site(**variables).succeeded()
    packed = io.BytesIO()
    pin = f'[toolchain]\nchannel = "{variables["agent_policy_rust_channel"]}"\n'
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in {**CRATE, "rust-toolchain.toml": pin}.items():
            entry = tarfile.TarInfo(f"nova/{name}")
            entry.size, entry.mode = len(text), 0o755 if name == "my-program" else 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    lab.run(
        "host1", f"echo {base64.b64encode(packed.getvalue()).decode()} | base64 -d | sudo -u agent1 tar -x -C ~agent1"
    )
    return variables


def blocks(guide: str) -> list[tuple[str, int]]:
    """Each line of a block of commands, and its expected exit status."""
    found = re.findall(r"^```bash( refused)?\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    return [(line, 2 if refused else 0) for refused, block in found for line in block.splitlines()]


def test_each_command_of_the_guide_works_as_described(lab, policy):
    commands = blocks(lab.run("host1", f"cat {GUIDE}"))
    assert len(commands) > 20
    lab.run("host1", "sudo -u agent1 mkdir -p ~agent1/nova/target")
    results = []
    for command, _ in commands:
        output = lab.run("host1", f"su - agent1 -c {shlex.quote(f'cd nova && {command}')} 2>&1; echo status $?")
        print(output)
        results.append((command, int(output.split()[-1])))
    assert results == commands


def test_numbers_of_the_guide_follow_the_host_and_the_variables(lab, policy):
    text = lab.run("host1", f"cat {GUIDE}")
    assert "| address space | 4G |" in text and "| login | 64G |" in text
    assert f"Rust {policy['agent_policy_rust_channel']} is pinned" in text
    changed = {
        "agent_policy_memory_per_agent": "2G",
        "agent_policy_memory_hard_limit": "6G",
        "agent_wrappers_slots": 1,
        "agent_wrappers_guard": "refuse",
    }
    lab.site(**policy, **changed).succeeded()
    text = lab.run("host1", f"cat {GUIDE}")
    assert "| address space | 2G |" in text and "| highest address space | 6G |" in text and "| slots | 1 |" in text
    assert "Slots                     1 cargo command at once" in text
    assert "### Why 2G?" in text and "the operator of this host set 2G" in text
    assert "`cargo` without the wrapper is refused" in text and "run_limited.sh --as 6G" in text


def login_output(lab, account: str, shell: str = "") -> str:
    """The output of a login on a terminal, or of a login for a command."""
    login = f"script -qec 'su - {account}' /dev/null <<<exit" if not shell else f"su - {account} -c {shell!r}"
    return lab.run("host1", login)


def test_only_agents_on_a_terminal_see_the_login_message(lab, policy):
    lines = [
        line for line in login_output(lab, "agent1").splitlines() if "nova-agent/" in line or "agent-status" in line
    ]
    assert len(lines) == 3 and any(GUIDE in line for line in lines)
    assert GUIDE not in login_output(lab, "root") and GUIDE not in login_output(lab, "ubuntu")
    assert login_output(lab, "agent1", shell="echo only this").strip() == "only this"
