# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The border between hosts and the controller: actions that call a module of the collection on a host.

An answer of a host becomes a result, and reaches a terminal, only as typed records.
"""

from __future__ import annotations

import json
import re
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.json_utils import _filter_non_json_lines
from ansible.plugins.action import ActionBase

from ..module_utils.desired.features import HostProblems
from ..module_utils.observed.decode import UNFIT, DecodeError, decode
from ..module_utils.observed.encode import encode
from ..module_utils.text import MOST, outgoing, safe_lines, safe_text

INTERPRETER = "discovered_interpreter_python"
MOST_BYTES = 16 << 20  # of one answer; a host with thousands of paths needs less than 1 MiB
MEMORY = 1 << 30  # limit while a host answers, because Ansible reads an answer of any size
LARGE_ANSWER = 256 << 20  # from this growth the limit is set
PRIVATE = "/run"  # for temporary files, because agents can fill /tmp
T = TypeVar("T")
NO_ANSWER = "no answer: "
REMEDIES = {  # pattern of a message: what to do
    r"(Missing|Incorrect) \w+ password": "give it with --ask-become-pass, or allow sudo without a password",
    r"sudo: (command )?not found": "install sudo on the host, or log in as root",
    r"python[\d.]*('? was|: command|:) not found": "install python3 on the host, or set ansible_python_interpreter",
}
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

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        try:
            result = self.work(task_vars or {})
        except (NotCheckable, HostProblems) as error:
            result = {"failed": True, "msg": str(error)}
        return {"changed": False, **result, **({"ansible_facts": self.facts} if self.facts else {})}

    def work(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The result of the task. Raises NotCheckable and HostProblems."""
        raise NotImplementedError

    def ask(self, shape: type[T], module: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> T:
        """The answer of a module as ``shape``. Raises NotCheckable, and AnsibleConnectionFailure."""
        own = self._task.environment or []
        self._task.environment = [{"TMPDIR": PRIVATE}, *(own if isinstance(own, list) else [own])]
        try:
            with _bounded_memory():
                given = self._execute_module(module_name=module, module_args=arguments, task_vars=task_vars)
        except MemoryError:
            raise NotCheckable("the host's answer is too large: it is not used") from None
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(_one_line(error)) from None
        except AnsibleError as error:
            raise NotCheckable(_with_remedy(_one_line(error))) from None
        finally:
            self._task.environment = own
        answer = dict(given)
        self._keep_interpreter(answer.get("ansible_facts"))
        if answer.get("failed") or answer.get("unreachable"):
            raise NotCheckable(_with_remedy(_reason(answer)))
        names = shape.__dataclass_fields__  # type: ignore[attr-defined]
        wanted = {key: value for key, value in answer.items() if key in names or not _is_core_s(str(key))}
        try:
            return decode(shape, wanted, "the host's answer")
        except DecodeError as error:
            raise NotCheckable(f"{error}: its answer is not used") from None

    def _low_level_execute_command(self, *arguments: Any, **options: Any) -> Any:
        """Called for every command on the host, because errors of ansible-core repeat what the host's shell prints."""
        try:
            answer = super()._low_level_execute_command(*arguments, **options)
        except AnsibleConnectionFailure as error:  # the search for Python shows it in a warning
            raise AnsibleConnectionFailure(_one_line(error)) from None
        for name in ("stdout", "stderr"):
            answer[name] = _visible(answer[name])
            answer[f"{name}_lines"] = answer[name].splitlines()
        return answer

    def _parse_returned_data(self, res: dict[str, Any], *more: Any) -> Any:
        """Called before ansible-core reads an answer, because it prints warnings and text around the JSON unchanged."""
        return super()._parse_returned_data({**res, "stdout": _harmless(str(res["stdout"]))}, *more)

    def _keep_interpreter(self, facts: object) -> None:
        """Ansible finds the Python of a host with an extra trip, and stores it as a fact. Other facts: NotCheckable."""
        if not facts:
            return
        python = facts.get(INTERPRETER) if isinstance(facts, Mapping) and len(facts) == 1 else None
        if not isinstance(python, str) or not re.fullmatch(r"[\w./+-]{1,200}", python):
            raise NotCheckable("the host's answer has ansible_facts, which this module does not give: it is not used")
        self.facts = {INTERPRETER: str(python)}  # without the tags of ansible-core


class ModuleAction(HostAction):
    """The action of a module: only the typed records of its answer reach the terminal."""

    shape: ClassVar[type]

    def work(self, variables: dict[str, Any]) -> dict[str, Any]:
        answer = encode(self.ask(self.shape, self._task.action, self._task.args, variables))
        return {name: value for name, value in answer.items() if value is not None}


@contextmanager
def _bounded_memory() -> Iterator[None]:
    """Each action is a separate process, so the limit affects only this host.

    Programs of the connection inherit the limit, and podman or kubectl need more address space. So it is set only when
    this process grows: a timer of its CPU time, which children do not inherit, looks at its size.
    """
    limits, start = resource.getrlimit(resource.RLIMIT_AS), _address_space()

    def check(*_signal: object) -> None:
        if _address_space() > start + LARGE_ANSWER:
            resource.setrlimit(resource.RLIMIT_AS, (_lowest(limits[0], start + MEMORY), limits[1]))

    signal.signal(signal.SIGPROF, check)
    signal.setitimer(signal.ITIMER_PROF, 0.05, 0.05)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _lowest(limit: int, other: int) -> int:
    return other if limit == resource.RLIM_INFINITY else min(limit, other)


def _harmless(answer: str) -> str:
    """The JSON of a module's answer, with safe texts in the keys that ansible-core prints. Raises NotCheckable."""
    if len(answer) > MOST_BYTES:
        raise NotCheckable(f"the host's answer has more than {MOST_BYTES >> 20} MiB: it is not used")
    try:
        data = json.loads(_filter_non_json_lines(answer, objects_only=True)[0])
        # Keys with an underscore change ansible-core itself, for example which texts it masks.
        kept = {key: value for key, value in data.items() if not key.startswith("_")}
        return json.dumps({key: _cut(value) if _is_core_s(key) else value for key, value in kept.items()})
    except (ValueError, RecursionError):
        return NO_ANSWER + safe_lines(answer[-1000:]).replace("{", "(")


def _reason(answer: Mapping[str, Any]) -> str:
    """Why a module failed. If it gave no answer, the last line that the host printed instead."""
    if "module_stdout" not in answer:
        return safe_text(answer.get("msg") or "the module gave no message", 2000)
    printed = f"{answer['module_stdout']}\n{answer.get('module_stderr')}".replace(NO_ANSWER, "", 1).splitlines()
    # ssh prints the other line at the end of a terminal.
    lines = [line for line in printed if line.strip() and not re.fullmatch(r"Shared connection to .* closed\.", line)]
    return safe_text(": ".join([f"the module gave no answer (exit status {answer.get('rc')})", *lines[-1:]]), 2000)


def _with_remedy(message: str) -> str:
    return "; ".join([message.rstrip("."), *(remedy for sign, remedy in REMEDIES.items() if re.search(sign, message))])


def _visible(text: str) -> str:
    text = text.replace("\r\n", "\n")  # of a terminal
    return safe_lines(text, MOST_BYTES) if UNFIT.search(text) else text


def _one_line(error: AnsibleError) -> str:
    """An error of ansible-core, which can have text of the host."""
    return safe_text("; ".join(str(error).split("\n")), 2000)


def _cut(value: Any) -> Any:
    return outgoing(value[:MOST] if isinstance(value, list) else value)


def _is_core_s(key: str) -> bool:
    return key in CORE_KEYS or key.startswith("_ansible_")
