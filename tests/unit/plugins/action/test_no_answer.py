# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""If a host can't run a module, one line says what its shell printed and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.tests.unit.playbooks.ansible_playbook import ansible_playbook

PROGRAM = "#!/bin/sh\necho 'it starts' >&2\necho '{text}' >&2\nexit {status}\n"
HOSTS = {
    "no_sudo": (127, "/bin/sh: 1: sudo: not found", "install sudo"),
    "no_python": (127, "/bin/sh: 1: /usr/bin/python3: not found", "ansible_python_interpreter"),
    "full": (1, "OSError: [Errno 28] No space left on device", "[Errno 28] No space left on device"),
    "silent": (137, "", "exit status 137"),
}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hosts whose Python is a STAND-IN. The last one has a STAND-IN for ssh, and its sudo asks for a password."""
    folder = tmp_path_factory.mktemp("hosts")
    hosts = {}
    for name, (status, text, _expected) in HOSTS.items():
        python = folder / name
        python.write_text(PROGRAM.format(text=text, status=status) if text else f"#!/bin/sh\nexit {status}\n")
        python.chmod(0o755)
        hosts[name] = {"ansible_python_interpreter": str(python), "ansible_become": False}
    hosts["absent"] = {"ansible_python_interpreter": "/nonexistent/python3", "ansible_become": False}
    sudo = folder / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    ssh = folder / "ssh"
    ssh.write_text('#!/bin/sh\nfor command; do :; done\nexec sh -c "$command"\n')
    for program in (sudo, ssh):
        program.chmod(0o755)
    hosts["password"] = {
        "ansible_connection": "ssh", "ansible_ssh_executable": str(ssh), "ansible_become_exe": str(sudo), "ansible_user": "other",
        "ansible_python_interpreter": "/usr/bin/python3",
    }  # fmt: skip
    terminal = folder / "terminal"
    terminal.write_text(
        "#!/bin/sh\nseq 1000\necho 'KeyError: 5'\necho 'Shared connection to host closed.' >&2\nexit 1\n"
    )
    terminal.chmod(0o755)
    hosts["terminal"] = {"ansible_python_interpreter": str(terminal), "ansible_become": False}
    path = folder / "hosts.json"
    path.write_text(
        json.dumps(
            {
                "agent_hosts": {
                    "hosts": hosts,
                    "vars": {"ansible_connection": "local", "ansible_remote_tmp": str(folder)},
                }
            }
        )
    )
    return path


@pytest.fixture(scope="module")
def reasons(inventory: Path) -> dict[str, str]:
    run = ansible_playbook(
        "nova.agent_host.audit", "-i", str(inventory), "-e", "agent_audit_json=audit.json", cwd=inventory.parent,
        environment={"ANSIBLE_PIPELINING": "1"},
    )  # fmt: skip
    assert run.returncode == 2, run.stdout + run.stderr
    report = json.loads((inventory.parent / "audit.json").read_text())
    return {host["host"]: host["why"] for host in report["hosts"]}


@pytest.mark.parametrize("host", HOSTS)
def test_reason_has_the_last_line_of_the_host_and_what_to_do(reasons, host):
    status, text, expected = HOSTS[host]
    assert f"exit status {status}" in reasons[host] and text in reasons[host] and expected in reasons[host]
    assert "it starts" not in reasons[host] and "\n" not in reasons[host]


def test_last_line_is_found_in_the_output_of_a_terminal(reasons):
    assert reasons["terminal"] == "the module gave no answer (exit status 1): KeyError: 5"


def test_missing_python_is_named_with_the_variable(reasons):
    assert "/nonexistent/python3" in reasons["absent"] and "ansible_python_interpreter" in reasons["absent"]


def test_missing_password_of_sudo_is_named_with_the_option(reasons):
    assert "sudo" in reasons["password"] and "--ask-become-pass" in reasons["password"]
