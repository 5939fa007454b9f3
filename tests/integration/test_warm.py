# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Role agent_warm on a host with the real cargo: its service builds, agents copy the seed, and retire removes all files.

The crates come from a STAND-IN for the public registry on the host's loopback. It is stopped before agents build."""

from __future__ import annotations

import base64
import io
import json
import sys
import tarfile

import pytest
from conftest import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tests/programs"))

from warm.workspace import crates_io, workspace

ROLES = ("agent_toolchain", "agent_wrappers", "agent_warm", "agent_status")
SEEDS = "/opt/nova-agent/warm/seeds"
SERVICE = "nova-agent-warm-nova"
VARIABLES = {
    "agent_policy_users": ["agent1", "agent2"],
    "agent_policy_create_users": True,
    "agent_warm_projects": [{"name": "nova", "source": "/srv/nova", "packages": ["nova-core"]}],
    "agent_warm_schedule": "yearly",
    "agent_warm_jitter": "5h",  # no timer acts during the tests
}
CRATES = "http://127.0.0.1:8123"
FILES = {f"registry/{path}": data for path, data in crates_io(CRATES).items()}
FILES |= {f"nova/{path}": text.encode() for path, text in workspace(CRATES).items()}
SERVE = "python3 -m http.server 8123 --bind 127.0.0.1 --directory /srv/registry"


@pytest.fixture(scope="module", autouse=True)
def before(lab):
    """The host as it was before the role."""
    lab.variables.update(lab.serve_toolchain("toolchain"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    snapshot = lab.snapshot("host1")
    lab.run("host1", f"echo {base64.b64encode(packed.getvalue()).decode()} | base64 -d | tar -x -C /srv")
    lab.roles(*ROLES, **VARIABLES).succeeded()
    return snapshot


def play(lab, *arguments, **changed):
    """Apply the roles with one look at the host."""
    return lab.site("--tags", ",".join(ROLES), *arguments, **{**VARIABLES, **changed})


def cargo(lab, user, words):
    """Run a command as an agent, in a checkout that is created if it is missing."""
    checkout = "[ -d nova ] || cp -r /srv/nova . && cd nova"
    command = f"{checkout} && bash /opt/nova-agent/bin/cargo_agent.sh {words} --locked --offline"
    return lab.run("host1", f"su - {user} -c '{command}' 2>&1")


def seeds(lab):
    return lab.run("host1", f"ls {SEEDS} 2>/dev/null || true").split()


def test_service_builds_as_a_separate_account_and_agents_copy_the_seed(lab):
    lab.run("host1", f"systemd-run -q --unit=crates {SERVE}")
    lab.run(
        "host1", f"systemctl start {SERVICE} || {{ journalctl -u {SERVICE} --no-pager; false; }}; systemctl stop crates"
    )
    (seed,) = seeds(lab)
    assert lab.run("host1", "find /opt/nova-agent/warm -perm /022 ! -type l") == ""
    assert lab.run("host1", f"find {SEEDS} ! -user root -o -perm /022 ! -type l") == ""
    assert lab.run("host1", f"systemctl show -P Slice {SERVICE}").strip() == "user.slice"
    assert lab.run("host1", "find /var/lib/private/nova-agent-warm/nova -mindepth 1") == ""
    for user in ("agent1", "agent2"):
        output = cargo(lab, user, "test --no-run -p nova-core")
        assert f"3 of 3 dependencies from seed {seed}" in output
        assert [line.split()[1] for line in output.splitlines() if "Compiling" in line] == ["nova-core"]
        assert "seed" not in cargo(lab, user, "test -p nova-core")
        assert lab.run("host1", f"ls -A ~{user}/.cargo 2>/dev/null || true") == ""
    assert play(lab).succeeded().changed == {}
    checked = play(lab, "--check", "--diff").succeeded()
    assert checked.changed == {}, checked.text


def audited(lab, folder, kind):
    """The items of a kind in an audit."""
    lab.play("nova.agent_host.audit", **VARIABLES, agent_audit_json=str(folder / "audit.json"))
    (host,) = json.loads((folder / "audit.json").read_text())["hosts"]
    return [item for item in host["items"] if item["kind"] == kind]


def test_audit_finds_a_damaged_seed_and_the_service_repairs_it(lab, tmp_path):
    (seed,) = seeds(lab)
    file = f"{SEEDS}/{seed}/CACHEDIR.TAG"
    lab.run("host1", f"echo more >>{file}")
    (found,) = audited(lab, tmp_path, "seed")
    assert (found["item"], found["status"]) == (seed, "drifted") and "CACHEDIR.TAG" in found["why"]
    lab.run("host1", f"systemd-run -q --unit=crates {SERVE}")
    lab.run("host1", f"systemctl start {SERVICE}; systemctl stop crates")
    assert lab.run("host1", "/opt/nova-agent/bin/agent-warm verify").endswith("whole\n")
    assert [item["status"] for item in audited(lab, tmp_path, "seed")] == ["ok"]


def test_source_writable_for_an_agent_is_refused_with_the_reason_in_the_journal(lab):
    lab.run("host1", "chown agent1 /srv/nova/Cargo.lock")
    lab.run("host1", f"! systemctl start {SERVICE}")
    output = lab.run("host1", f"journalctl --sync; journalctl -q -o cat -u {SERVICE} -t agent-warm")
    assert "/srv/nova/Cargo.lock is writable" in output
    lab.run("host1", f"chown root /srv/nova/Cargo.lock; systemctl reset-failed {SERVICE}")


def test_agent_status_shows_seeds(lab):
    (seed,) = seeds(lab)
    (shown,) = json.loads(lab.run("host1", "su - agent1 -c 'agent-status --json'"))["seeds"]
    assert (shown["name"], shown["dependencies"], shown["problem"]) == (seed, 3, "")
    assert seed in lab.run("host1", "su - agent1 -c agent-status")


def test_removed_projects_leave_no_files_of_the_role(lab):
    checked = play(lab, "--check", agent_warm_projects=[]).succeeded()
    assert checked.changed and seeds(lab)
    lab.roles("agent_warm", **{**VARIABLES, "agent_warm_projects": []}).succeeded()
    assert (
        lab.run("host1", "ls /opt/nova-agent | grep -x warm; ls /etc/systemd/system | grep nova-agent-warm; true") == ""
    )
    play(lab).succeeded()


def test_retire_removes_all_files_of_the_role(lab, before):
    lab.run("host1", f"systemd-run -q --unit=crates {SERVE}")
    lab.run("host1", f"systemctl start {SERVICE}; systemctl stop crates")
    lab.retire("--check").succeeded()
    assert seeds(lab)
    lab.retire().succeeded()
    lab.run("host1", "rm -rf /srv/nova /srv/registry")
    lab.remove_accounts("host1", "agent1", "agent2")
    assert lab.units("host1") == []
    remaining = set(lab.snapshot("host1").splitlines()) - set(before.splitlines())
    assert [line for line in sorted(remaining) if "warm" in line or "/srv" in line] == []
