# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Upgrade of a host that the first version of the collection provisioned."""

from __future__ import annotations

import subprocess

import pytest
from conftest import CHECKOUT

FIRST = "9670259"  # manifests have a run and a seal


@pytest.fixture
def first(tmp_path):
    """A folder of collections with the first version."""
    folder = tmp_path / "collections/ansible_collections/nova/agent_host"
    folder.mkdir(parents=True)
    git = ["git", "-C", str(CHECKOUT), "archive", FIRST]
    archive = subprocess.run(git, check=False, capture_output=True)
    if archive.returncode:
        pytest.skip(f"this clone does not have commit {FIRST}: git fetch --unshallow")
    subprocess.run(["tar", "-x", "-C", str(folder)], check=True, input=archive.stdout)
    return tmp_path / "collections"


def found(lab):
    """All files below the folders of the collection, except the toolchain, which has its own record."""
    return lab.run(
        "host1",
        "find /opt/nova-agent /var/lib/nova-agent /run/nova-agent -path '*/.toolchain/*' -prune -o ! -type d -print",
    ).splitlines()


def test_one_apply_upgrades_an_older_host_completely(lab, toolchain, first):
    lab.variables.update(
        agent_policy_users=["agent1"],
        agent_policy_create_users=True,
        agent_limits_services=["cron"],
        agent_hygiene_workspaces=["/home/agent1/nova"],
        agent_hygiene_audit_logs=[{"path": "/home/agent1/audit.log", "owner": "agent1"}],
        agent_limits_nofile="1024:4096",  # the default of the old version is above the limit of a container
    )
    clean = [*lab.snapshot("host1").splitlines(), *lab.units("host1")]
    with pytest.MonkeyPatch.context() as older_version:
        older_version.setattr(lab, "collections", first)
        lab.site().succeeded()
    older = lab.manifest("host1")
    assert older["seal"]

    assert lab.play("nova.agent_host.audit").status == 2
    lab.site().succeeded()
    assert lab.site().succeeded().changed == {}
    assert lab.play("nova.agent_host.audit").status == 0
    manifest = lab.manifest("host1")
    assert "seal" not in manifest and "run" not in manifest
    known = {path for role in manifest["roles"].values() for path in role["paths"]}
    dropped = {path for role in older["roles"].values() for path in role["paths"]} - known
    assert lab.run("host1", f"ls -d {' '.join(dropped)} 2>/dev/null || true") == ""
    expected = {"/var/lib/nova-agent/manifest.json", "/run/nova-agent/pool"}  # the unit writes the second
    assert [path for path in found(lab) if path not in known | expected and "/toolchain" not in path] == []

    lab.retire().succeeded()
    lab.remove_accounts("host1", "agent1")
    remaining = set(lab.snapshot("host1").splitlines()) | set(lab.units("host1"))
    assert sorted(remaining ^ set(clean)) == []
