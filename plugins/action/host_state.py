# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of host_state: where the observation already shows that all is right, the host is not contacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import Item, state_items
from ansible_collections.nova.agent_host.plugins.module_utils.audit.units import owned_units
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import wanted_state
from ansible_collections.nova.agent_host.plugins.module_utils.state.plan import plan
from ansible_collections.nova.agent_host.plugins.plugin_utils.observed_action import ObservedAction


class ActionModule(ObservedAction):
    module_name = "nova.agent_host.host_state"
    nothing_done: ClassVar[dict[str, Any]] = {"changed_paths": [], "kept": [], "pending": []}

    def subject(self, arguments: Mapping[str, Any]) -> str:
        return str(arguments.get("role"))

    def all_is_right(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
        wanted = {entry["path"]: wanted_state(entry) for entry in arguments["entries"]}
        if len(wanted) < len(arguments["entries"]):
            return False
        manifest = Manifest.from_dict(observed["manifest"])
        return plan(arguments["role"], wanted, manifest, observed["files"].get) == []

    def right_items(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Item]:
        wanted = {entry["path"]: wanted_state(entry) for entry in arguments["entries"]}
        return state_items(arguments["role"], wanted, Manifest.from_dict(observed["manifest"]), observed["files"].get)

    def found_items(self, result: dict[str, Any], arguments: Mapping[str, Any]) -> list[Item]:
        items: list[Item] = result["findings"]
        return items

    def audit_arguments(self) -> dict[str, Any]:
        return {"audit": True}

    def units(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return owned_units(arguments["role"], arguments["entries"])
