# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The border between hosts and the controller: actions that call a module of ours on a host.

Nothing of a host's answer becomes an Ansible variable, or reaches a terminal, except through typed records.
"""

from __future__ import annotations

import json
import re
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from ansible.module_utils.json_utils import _filter_non_json_lines
from ansible.plugins.action import ActionBase
from ansible_collections.nova.agent_host.plugins.module_utils.observed.decode import DecodeError, decode
from ansible_collections.nova.agent_host.plugins.module_utils.observed.encode import encode
from ansible_collections.nova.agent_host.plugins.module_utils.text import MOST, outgoing, safe_lines, safe_text

INTERPRETER = "discovered_interpreter_python"
MOST_BYTES = 16 << 20  # of one answer; that of a host with thousands of paths has less than one
MEMORY = 1 << 30  # that this process may take while a host answers: Ansible reads all that comes
PRIVATE = "/run"  # for temporary files: agents can fill /tmp, and no module would start
T = TypeVar("T")
# Keys that ansible-core itself adds to a module's answer.
CORE_KEYS = {
    *("changed", "failed", "unreachable", "msg", "invocation", "warnings", "deprecations", "exception"),
    *("ansible_facts", "ansible_parsed"),
}


class NotCheckable(Exception):
    """The host's answer can't be used, or the module failed; the message is safe to print."""


class HostAction(ActionBase):
    _supports_check_mode = True
    facts: Mapping[str, str] = {}

    def ask(self, shape: type[T], module: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> T:
        """The answer of a module as ``shape``. Raises NotCheckable."""
        own = self._task.environment or []
        self._task.environment = [{"TMPDIR": PRIVATE}, *(own if isinstance(own, list) else [own])]
        try:
            with _bounded_memory():
                given = self._execute_module(module_name=module, module_args=arguments, task_vars=task_vars)
        except MemoryError:
            raise NotCheckable("the host's answer has no end: it is not used") from None
        finally:
            self._task.environment = own
        answer = dict(given)
        self._keep_interpreter(answer.get("ansible_facts"))
        if answer.get("failed") or answer.get("unreachable"):
            raise NotCheckable(safe_text(answer.get("msg") or "the module gave no message", 2000))
        names = shape.__dataclass_fields__  # type: ignore[attr-defined]
        wanted = {key: value for key, value in answer.items() if key in names or not _is_core_s(str(key))}
        try:
            return decode(shape, wanted, "the host's answer")
        except DecodeError as error:
            raise NotCheckable(f"{error}: its answer is not used") from None

    def _parse_returned_data(self, res: dict[str, Any], *more: Any) -> Any:
        """Before ansible-core reads an answer: it prints warnings and what is no JSON by itself, as they are."""
        clean = {"stdout": _harmless(str(res["stdout"])), "stderr": safe_lines(res["stderr"])}
        return super()._parse_returned_data({**res, **clean}, *more)

    def _keep_interpreter(self, facts: object) -> None:
        """Ansible finds a host's Python by a trip of its own and keeps it as a fact. Raises NotCheckable for others."""
        if not facts:
            return
        python = facts.get(INTERPRETER) if isinstance(facts, Mapping) and len(facts) == 1 else None
        if not isinstance(python, str) or not re.fullmatch(r"[\w./+-]{1,200}", python):
            raise NotCheckable("the host's answer has ansible_facts, which this module does not give: it is not used")
        self.facts = {INTERPRETER: str(python)}  # without what a tagged text has beside it


class ModuleAction(HostAction):
    """The action of a module of ours: its answer passes the border, and so the terminal gets no host's own text."""

    shape: ClassVar[type]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            answer: dict[str, Any] = encode(self.ask(self.shape, self._task.action, self._task.args, task_vars or {}))
        except NotCheckable as error:
            answer = {"failed": True, "msg": str(error)}
        given = {name: value for name, value in answer.items() if value is not None}
        return {"changed": False, **given, **({"ansible_facts": self.facts} if self.facts else {})}


@contextmanager
def _bounded_memory() -> Iterator[None]:
    """Each action is a process of its own, so only this host's answer ends here."""
    was, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        most = int(file.read().split()[0]) * resource.getpagesize() + MEMORY
    if was != resource.RLIM_INFINITY:
        most = min(was, most)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (was, hard))


def _harmless(answer: str) -> str:
    """The answer of a module without lines around it, and without what ansible-core would print of it. Raises
    NotCheckable."""
    if len(answer) > MOST_BYTES:
        raise NotCheckable(f"the host's answer has more than {MOST_BYTES >> 20} MiB: it is not used")
    try:
        data = json.loads(_filter_non_json_lines(answer, objects_only=True)[0])
        # Keys with an underscore are for ansible-core alone: they mask texts, for example.
        told = {key: value for key, value in data.items() if not key.startswith("_")}
        return json.dumps({key: _cut(value) if _is_core_s(key) else value for key, value in told.items()})
    except (ValueError, RecursionError):
        return "no answer: " + safe_text(answer, 1000).replace("{", "(")


def _cut(value: Any) -> Any:
    return outgoing(value[:MOST] if isinstance(value, list) else value)


def _is_core_s(key: str) -> bool:
    return key in CORE_KEYS or key.startswith("_ansible_")
