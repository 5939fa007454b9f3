# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The manifest lists all written paths, with their state on the host."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from testinfra.host import Host

KINDS = {"f": "file", "d": "directory", "l": "link"}


@pytest.fixture
def listed(manifest: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The manifest's entry of each path of any role, without the original."""
    entries = {path: entry for role in manifest["roles"].values() for path, entry in role["paths"].items()}
    compared = ("kind", "owner", "group", "mode", "target", "sha256")
    return {path: {key: entry[key] for key in compared if key in entry} for path, entry in entries.items()}


def test_every_listed_path_has_its_listed_state(host: Host, listed: dict[str, dict[str, str]]) -> None:
    paths = shlex.join(listed)
    found_state: dict[str, dict[str, str]] = {}
    for line in host.check_output(f"find {paths} -maxdepth 0 -printf '%p\\t%y\\t%u\\t%g\\t%#m\\t%l\\n'").splitlines():
        path, kind, owner, group, mode, target = line.split("\t")
        found_state[path] = {"kind": KINDS[kind], "owner": owner, "group": group}
        found_state[path].update({"target": target} if kind == "l" else {"mode": mode})
    # Files that agents write have no hash in the manifest.
    files = shlex.join(path for path, entry in listed.items() if "sha256" in entry)
    for line in host.check_output(f"sha256sum {files}").splitlines():
        digest, path = line.split("  ")
        found_state[path]["sha256"] = digest
    assert found_state == listed


def test_every_own_path_is_listed(host: Host, listed: dict[str, Any], manifest: dict[str, Any]) -> None:
    # Own paths by name, and links to them. The tree of the toolchain is one entry.
    trees = [tree for role in manifest["roles"].values() for tree in role["trees"]]
    assert trees == ["/opt/nova-agent/toolchain"]
    found = host.check_output(
        "find / /run -xdev '(' -path /opt/nova-agent/toolchain -o -path /opt/nova-agent/.toolchain ')' -prune"
        " -o '(' -path '*nova-agent*' -o -lname '*nova-agent*' ')' -print"
    )
    record = {"/var/lib/nova-agent", "/var/lib/nova-agent/manifest.json"}
    # Files of the running pool units, and of systemd for them.
    running = {f"/run/systemd/units/invocation:nova-agent-pool{name}.service" for name in ("", "-check")}
    record |= {"/run/nova-agent/pool", *running}
    assert set(found.splitlines()) - record == set(listed) - record
