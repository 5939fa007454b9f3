# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The state of a host after an apply, for the tools in the comparison."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

MANIFEST = "/var/lib/nova-agent/manifest.json"


def record(run: Callable[[str], str], folder: Path) -> list[dict[str, Any]]:
    """All paths of the manifest with their state. Contents are written into ``folder``. ``run`` runs a command as root."""
    manifest = json.loads(run(f"cat {MANIFEST}"))
    paths = {path: state for role in manifest["roles"].values() for path, state in role["paths"].items()}
    state = []
    for number, (path, entry) in enumerate(sorted(paths.items())):
        source = folder / f"{number}"
        if entry["kind"] == "file" and "sha256" in entry:
            source.write_bytes(base64.b64decode(run(f"base64 {path}")))
        state.append({**entry, "path": path, "source": str(source) if source.exists() else ""})
    return state


def task_a_file(state: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One builtin task for each path, and one for the group."""
    tasks: list[dict[str, Any]] = [{"name": "Group", "ansible.builtin.group": {"name": "nova-agents", "system": True}}]
    for entry in state:
        arguments = {"owner": entry["owner"], "group": entry["group"]}
        module = "ansible.builtin.file"
        if entry["kind"] == "link":
            arguments |= {"path": entry["path"], "src": entry["target"], "state": "link", "follow": False}
        elif entry["source"]:
            module = "ansible.builtin.copy"
            arguments |= {"dest": entry["path"], "src": entry["source"], "mode": entry["mode"]}
        else:
            arguments |= {"path": entry["path"], "mode": entry["mode"], "state": entry["kind"]}
        tasks.append({"name": entry["path"], module: arguments})
    return tasks


def play_of(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"hosts": "agent_hosts", "become": True, "gather_facts": False, "tasks": tasks}]
