# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of rustup_toolchain: where the observation already shows that all is right, the host is not contacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.nova.agent_host.plugins.module_utils.audit.items import Item, drifted, good
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.manifest import displaced
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request
from ansible_collections.nova.agent_host.plugins.plugin_utils.observed_action import ObservedAction


class ActionModule(ObservedAction):
    module_name = "nova.agent_host.rustup_toolchain"
    nothing_done: ClassVar[dict[str, Any]] = {"installed": [], "removed": [], "repaired": [], "in_use": []}

    def subject(self, arguments: Mapping[str, Any]) -> str:
        return f"rustup_toolchain {arguments.get('path')}"

    def all_is_right(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
        tree = arguments["path"]
        seen = observed["toolchains"][tree]
        wanted = Request.from_options({**arguments, "purge": boolean(arguments.get("purge", False))})
        manifest = Manifest.from_dict(observed["manifest"])
        return bool(
            arguments.get("state", "present") == "present"
            and not displaced(manifest, tree, lambda folder: str(observed["files"][folder]["kind"]))
            and seen["present"]
            and not seen["problems"]
            and seen["request"] == wanted.to_dict()
            and manifest.trees(_role(arguments)) == [tree]
        )

    def right_items(self, observed: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Item]:
        return [good(_role(arguments), "toolchain", arguments["path"])]

    def found_items(self, result: dict[str, Any], arguments: Mapping[str, Any]) -> list[Item]:
        role, tree = _role(arguments), arguments["path"]
        if not result["changed"]:
            return [good(role, "toolchain", tree)]
        missing = [f"{line} is not installed" for line in result["installed"] if not result["repaired"]]
        unwanted = [f"{line} is no longer wanted" for line in result["removed"]]
        parts = {"damaged": result["repaired"], "missing": missing, "unwanted": unwanted}
        parts = {name: lines for name, lines in parts.items() if lines} or {"request": ["was installed otherwise"]}
        why = "; ".join(line for lines in parts.values() for line in lines)
        diff = {"before_header": tree, "after_header": tree, **result["diff"]}
        return [{**drifted(role, "toolchain", tree, why, list(parts)), "diff": [diff]}]


def _role(arguments: Mapping[str, Any]) -> str:
    return str(arguments.get("role", "agent_toolchain"))
