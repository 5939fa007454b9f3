# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The hosts of a run as an Ansible inventory, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from . import proxy
from .host import SSH_OPTIONS, Host
from .registry import Record


def path(record: Record) -> Path:
    """Return the path of a run's inventory file."""
    return record.directory / "inventory.json"


def write(record: Record, hosts: list[Host]) -> None:
    """Write the inventory (JSON is YAML, which Ansible reads)."""
    variables = {
        "ansible_user": "ubuntu",
        "ansible_ssh_private_key_file": str(hosts[0].identity),
        "ansible_ssh_common_args": " ".join(SSH_OPTIONS),
        "ansible_python_interpreter": "/usr/bin/python3",
        "test_hosts_controller": record.network.controller,
        "test_hosts_proxy": proxy.url(record.network),
    }
    group = {"hosts": {host.name: {"ansible_host": host.address} for host in hosts}, "vars": variables}
    path(record).write_text(json.dumps({"all": {"children": {"agent_hosts": group}}}, indent=2) + "\n")


def describe(record: Record, hosts: list[Host]) -> str:
    """Return a run as JSON. `hosts` is an instance configuration of molecule."""
    described = {
        "run": record.run,
        "suite": record.suite,
        "inventory": str(path(record)),
        "controller": record.network.controller,
        "proxy": proxy.url(record.network),
        "hosts": [
            {
                "instance": host.name,
                "address": host.address,
                "link": host.link,
                "port": 22,
                "user": "ubuntu",
                "identity_file": str(host.identity),
            }
            for host in hosts
        ],
    }
    return json.dumps(described, indent=2)
