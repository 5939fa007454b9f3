# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The manifest lists what stands on the host, as it stands there, and all of it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from testinfra.host import Host

KINDS = {"f": "file", "d": "directory", "l": "link"}


@pytest.fixture
def listed(manifest: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The manifest's entry of each path, of whatever role, without what stood there before."""
    entries = {path: entry for role in manifest["roles"].values() for path, entry in role["paths"].items()}
    described = ("kind", "owner", "group", "mode", "target", "sha256")
    return {path: {key: entry[key] for key in described if key in entry} for path, entry in entries.items()}


def test_every_path_stands_as_it_is_listed(host: Host, listed: dict[str, dict[str, str]]) -> None:
    paths = shlex.join(listed)
    standing: dict[str, dict[str, str]] = {}
    for line in host.check_output(f"find {paths} -maxdepth 0 -printf '%p\\t%y\\t%u\\t%g\\t%#m\\t%l\\n'").splitlines():
        path, kind, owner, group, mode, target = line.split("\t")
        standing[path] = {"kind": KINDS[kind], "owner": owner, "group": group}
        standing[path].update({"target": target} if kind == "l" else {"mode": mode})
    # Files that agents write have no hash in it.
    files = shlex.join(path for path, entry in listed.items() if "sha256" in entry)
    for line in host.check_output(f"sha256sum {files}").splitlines():
        digest, path = line.split("  ")
        standing[path]["sha256"] = digest
    assert standing == listed


def test_nothing_of_ours_stands_unlisted(host: Host, listed: dict[str, Any], manifest: dict[str, Any]) -> None:
    # Ours by name, or a link to what is. The toolchain's tree is one entry of its own.
    trees = [tree for role in manifest["roles"].values() for tree in role["trees"]]
    assert trees == ["/opt/nova-agent/toolchain"]
    found = host.check_output(
        "find / /run -xdev '(' -path /opt/nova-agent/toolchain -o -path /opt/nova-agent/.toolchain ')' -prune"
        " -o '(' -path '*nova-agent*' -o -lname '*nova-agent*' ')' -print"
    )
    record = {"/var/lib/nova-agent", "/var/lib/nova-agent/manifest.json"}
    # What the units of the pool, and systemd for them, keep while they run.
    running = {f"/run/systemd/units/invocation:nova-agent-pool{name}.service" for name in ("", "-check")}
    record |= {"/run/nova-agent/pool", *running}
    assert set(found.splitlines()) - record == set(listed) - record
