# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of ai_audit_log: call the module of that name, and read its answer as typed records."""

from __future__ import annotations

from ..module_utils.observed.answers import AuditLogs
from ..plugin_utils.host_action import ModuleAction


class ActionModule(ModuleAction):
    shape = AuditLogs
