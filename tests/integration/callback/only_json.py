# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Output callback of the tests: prints each result as a line of JSON, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: only_json
type: stdout
short_description: Print results as JSON, for tests
description: Prints each result of each host as a line of JSON.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "only_json"

    def _print(self, result: Any, **_more: Any) -> None:
        task = result._task.get_name()
        self._display.display(
            json.dumps({"host": result._host.get_name(), "task": task, "result": result._result}, default=str)
        )

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_on_unreachable = v2_runner_on_skipped = _print
