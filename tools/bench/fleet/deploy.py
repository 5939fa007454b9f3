# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A deploy for pyinfra of the state that fleet.py recorded: one operation for each path."""

import json

from pyinfra import host
from pyinfra.operations import files, server

with open(host.data.state, encoding="utf-8") as file:
    state = json.load(file)

server.group(name="Group nova-agents", group="nova-agents", system=True, _sudo=True)
for entry in state:
    owned = {"user": entry["owner"], "group": entry["group"], "_sudo": True}
    if entry["kind"] == "directory":
        files.directory(name=entry["path"], path=entry["path"], mode=entry["mode"], **owned)
    elif entry["kind"] == "link":
        files.link(name=entry["path"], path=entry["path"], target=entry["target"], **owned)
    elif entry["source"]:
        files.put(name=entry["path"], src=entry["source"], dest=entry["path"], mode=entry["mode"], **owned)
    else:
        files.file(name=entry["path"], path=entry["path"], mode=entry["mode"], **owned)
