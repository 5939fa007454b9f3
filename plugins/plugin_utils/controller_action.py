# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Actions that work on the controller only, for all hosts of a play at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ControllerAction(ActionBase):
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = False
    spec: ClassVar[dict[str, dict[str, Any]]]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(self.spec)
        return {"changed": False, **self.work(given, task_vars or {})}

    def work(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


def not_from_facts(variables: Mapping[str, Any], paths: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """Which of ``paths`` (by the variable that names each) may be written, and why the others may not.

    With INJECT_FACTS_AS_VARS a host's facts become variables, and a host must not choose a path on the controller.
    """
    facts = variables.get("ansible_facts") or {}
    given = {name: path for name, path in paths.items() if path}
    problems = [
        f"{name} is among the facts of a host, so it is not used: clear the fact cache"
        for name in given
        if name in facts
    ]
    return {name: path for name, path in given.items() if name not in facts}, problems


def shown(lines: Sequence[str]) -> dict[str, Any]:
    """A result whose lines the callback prints, below the task's banner, as it prints those of debug."""
    return {"msg": list(lines), "_ansible_verbose_always": True}


def reported(lines: list[str], problems: list[str]) -> dict[str, Any]:
    """The result of a report: print ``problems`` as errors and show ``lines``.

    The task does not fail: a failure would end all hosts here, before the result of each of them is set.
    """
    for problem in problems:
        Display().error(problem, wrap_text=False)
    return {**shown(lines), "problems": problems}
