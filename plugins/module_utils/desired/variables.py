# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Convert role variables to typed records, and report their problems. Pure.

A feature declares its variables as a dataclass whose fields are named like the variables without the role's prefix::

    @dataclass(frozen=True)
    class Variables:
        core: int = variable(from_zero)
        restart_services: bool = variable()

A reader takes the variable's full name and its value, and returns the typed value or raises ValueError with one line
that names the variable, its value and the allowed values. Without a reader, the type in the argument specs is enough.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import field, fields
from typing import Any, TypedDict, TypeVar

from ansible.module_utils.common.parameters import DEFAULT_TYPE_VALIDATORS

from ..account_names import EXAMPLES, EXISTING_NAME
from ..sizes import parse_size
from ..toolchain.request import source_url

PREFIX = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
SYSTEM_FOLDERS = (
    *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv"),
    *("sys", "tmp", "usr", "var", "usr/bin", "usr/lib", "usr/local", "usr/sbin", "var/lib", "var/tmp"),
)
# Root runs programs from the prefix, so only root may write to it, and it must exist after a reboot.
UNSAFE_FOLDERS = ("/tmp", "/var/tmp", "/dev", "/proc", "/sys", "/run", "/var/run", "/home", "/var/lock")
PRIVILEGED_GROUPS = (
    *("adm", "admin", "disk", "docker", "incus-admin", "kvm", "libvirt", "lxd", "nogroup", "root", "shadow", "staff"),
    *("sudo", "systemd-journal", "users", "wheel"),
)
SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}")
CALENDAR = re.compile(r"(?! )[A-Za-z0-9*.,:/~ +_-]{1,100}(?<! )")
PROTECTED_SERVICES = ("ssh", "sshd", "dbus", "getty@", "serial-getty@", "user@")
UNLIMITED = "unlimited"
SHAPES: Mapping[str, tuple[type, ...]] = {"list": (list, tuple), "dict": (Mapping,)}

Reader = Callable[[str, Any], Any]
T = TypeVar("T")


class Spec(TypedDict, total=False):
    """One variable in a role's argument_specs.yml."""

    type: str
    elements: str
    choices: list[str]
    default: Any  # any YAML value
    required: bool
    description: Any


class PolicyError(ValueError):
    """A problem of one variable, in one line."""


def variable(reader: Reader | None = None) -> Any:
    """A field of a feature's variables."""
    return field(metadata={"reader": reader})  # pylint: disable=invalid-field-call  # called in a dataclass


def read(
    prefix: str, shape: type[T], values: Mapping[str, Any], specs: Mapping[str, Spec], wrong: dict[str, str]
) -> T | None:
    """Return ``values`` (full name to value) as ``shape``. If a value is wrong, add its problem to ``wrong`` and return
    None. ``wrong`` also has the names of variables whose problem is already known.
    """
    found: dict[str, Any] = {}
    for item in fields(shape):  # type: ignore[arg-type]
        name = f"{prefix}_{item.name}"
        if name in wrong:
            continue
        reader = item.metadata["reader"] or READERS[specs[name].get("type", "str")]
        try:
            found[item.name] = reader(name, values[name])
        except ValueError as error:
            wrong[name] = str(error)
    return shape(**found) if len(found) == len(fields(shape)) else None  # type: ignore[arg-type]


def spec_problem(name: str, value: Any, spec: Spec) -> str:
    """Return the problem with the type of ``value``, or "" if it fits the spec."""
    if not _fits(value, spec):
        shown = "empty" if value in (None, "") else repr(value)
        return f"{name} is {shown}; {_allowed(spec)}"
    only_texts = value and (spec.get("type") == "dict" or spec.get("elements") == "str")
    for one in value if only_texts else ():
        if not isinstance(one, str):  # YAML makes a boolean of on, and a number of 1001
            return f"{name} has {one!r}, which is not text: write it in quotes"
    return ""


def comes_from(spec: Spec, names: Container[str]) -> bool:
    """Whether the default is computed from one of the variables ``names``."""
    default = str(spec.get("default", ""))
    return "{{" in default and any(word in names for word in re.findall(r"\w+", default))


def _fits(value: Any, spec: Spec) -> bool:
    kind = spec.get("type", "str")
    if value in (None, ""):  # "not set", which is allowed only if the default is empty
        return spec.get("default") in ("", None) and kind != "list"
    has_shape = isinstance(value, SHAPES.get(kind, object))
    if not has_shape:
        return False  # Ansible would split text at commas, and make a list of a number
    if kind == "int" and isinstance(value, (bool, list, tuple)):
        return False  # Ansible makes numbers of them
    if kind == "str" and isinstance(value, (list, tuple, Mapping)):
        return False  # Ansible makes text of them
    try:
        DEFAULT_TYPE_VALIDATORS[kind](value)
    except (TypeError, ValueError, ArithmeticError):
        return False
    return "choices" not in spec or value in spec["choices"]


def _allowed(spec: Spec) -> str:
    kinds = {
        "int": "a whole number",
        "bool": "true or false",
        "list": "a list, such as [one, two]",
        "dict": "a dictionary, such as {key: value}",
    }
    default = spec.get("default")
    example = f", such as {default}" if isinstance(default, (str, int)) and default and "{{" not in str(default) else ""
    if "choices" in spec:
        return f"allowed is {' or '.join(map(str, spec['choices']))}"
    return f"allowed is {kinds.get(spec.get('type', 'str'), 'text' + example)}"


def size(name: str, value: Any) -> int:
    """Bytes."""
    return parse_size(value, name)


#: By type in the argument specs, for variables without a reader.
READERS: Mapping[str, Reader] = {
    "str": lambda _name, value: str(value or ""),
    "bool": lambda _name, value: bool(DEFAULT_TYPE_VALIDATORS["bool"](value)),
    "list": lambda _name, value: tuple(value),
    "dict": lambda _name, value: dict(value),
}


def optional(reader: Reader) -> Reader:
    """A reader that returns None for an empty value."""
    return lambda name, value: None if value in (None, "") else reader(name, value)


def fitting(fits: Callable[[Any], object], allowed: str, convert: Callable[[str], Any] = str) -> Reader:
    """A reader for a text or number that ``fits``."""

    def reader(name: str, value: Any) -> Any:
        if not fits(value):
            raise PolicyError(f"{name} is {value!r}; allowed is {allowed}")
        return convert(str(value))

    return reader


def list_fitting(fits: Callable[[Any], object], allowed: str) -> Reader:
    """A reader for a list of texts that all ``fit``."""

    def reader(name: str, value: Any) -> tuple[str, ...]:
        for one in value:
            if not fits(one):
                raise PolicyError(f"{name} has {one!r}; allowed is {allowed}")
        return once(value)

    return reader


def matching(pattern: str, allowed: str, convert: Callable[[str], Any] = str) -> Reader:
    """A reader for a text or number that ``pattern`` matches."""
    return fitting(lambda value: re.fullmatch(pattern, str(value)), allowed, convert)


def list_matching(pattern: str, allowed: str) -> Reader:
    """A reader for a list of texts that ``pattern`` matches."""
    return list_fitting(lambda one: re.fullmatch(pattern, str(one)), allowed)


def once(value: Iterable[Any]) -> tuple[str, ...]:
    """Texts without repetitions, which lists from several files can have."""
    return tuple(dict.fromkeys(map(str, value)))


optional_size = optional(size)
optional_count = optional(
    matching("[1-9][0-9]{0,5}", "a whole number from 1 to 999999, or empty for the computed number", convert=int)
)
from_zero = matching("0|[1-9][0-9]{0,14}", "a whole number from 0", convert=int)
share_or_number = matching("[1-9][0-9]?%|[1-9][0-9]{1,6}", "a percentage such as 75%, or a whole number from 10")
span = matching("0|[1-9][0-9]{0,4}(s|min|h)", "a number of s, min or h, such as 90min, or 0")
channel = matching(
    r"[0-9]+\.[0-9]+\.[0-9]+|(stable|beta|nightly)-[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "a version such as 1.92.0, or a dated channel such as nightly-2026-01-15",
)


def is_name(value: Any) -> bool:
    """Whether it can name an account or a group. YAML makes a boolean of `on` and a number of `1001`."""
    return not isinstance(value, (bool, int, float)) and bool(EXISTING_NAME.fullmatch(str(value)))


def group(name: str, value: Any) -> str:
    """A group that may exist already; what may be created is checked on the host."""
    if value in PRIVILEGED_GROUPS:
        raise PolicyError(f"{name} is {value!r}, a group of the system; choose a group that only agents belong to")
    return str(_group(name, value))


_group = fitting(is_name, "a group's name, such as nova-agents")
#: Names of accounts, also existing ones such as jane.doe. The host checks the names of new accounts.
accounts = list_fitting(is_name, f"an account's name, such as {EXAMPLES}")


def is_prefix(value: Any) -> bool:
    path = str(value)
    unsafe = any(f"{path}/".startswith(f"{folder}/") for folder in UNSAFE_FOLDERS)
    return bool(PREFIX.fullmatch(path)) and path.strip("/") not in SYSTEM_FOLDERS and not unsafe


prefix = fitting(
    is_prefix,
    "an absolute path of letters, digits, _ . - and /, such as /opt/nova-agent, but no folder of the system and no "
    f"folder below {', '.join(UNSAFE_FOLDERS)}",
)


def mirror(name: str, value: Any) -> str:
    return source_url(value, name)


def auto_or_number(most: int, *words: str) -> Reader:
    """A reader for a whole number from 1 to ``most``, or one of ``words``."""
    numbers = f"a whole number from 1 to {most}"
    return fitting(
        lambda value: str(value) in words or (re.fullmatch("[1-9][0-9]{0,5}", str(value)) and int(value) <= most),
        f"{', '.join(words)} or {numbers}" if words else numbers,
        convert=lambda given: given if given in words else int(given),
    )


def soft_and_hard(name: str, value: Any, number: str, allowed: str, ordered: bool = True) -> tuple[str, str]:
    """One number for both limits, or SOFT:HARD. ``ordered``: the soft limit must not be above the hard one."""
    refuse_base_60(name, value)
    parts = str(value).split(":")
    if len(parts) > 2 or not all(re.fullmatch(number, part) for part in parts):
        raise PolicyError(f"{name} is {value!r}; allowed is {allowed}")
    if ordered and as_number(parts[0]) > as_number(parts[-1]):
        raise PolicyError(f"{name} is {value!r}: the soft limit is above the hard limit")
    return parts[0], parts[-1]


def as_number(limit: str) -> float:
    return float("inf") if limit == UNLIMITED else int(limit)


def refuse_base_60(name: str, value: Any) -> None:
    """YAML reads 10:20 without quotes as 620 (base 60). Raises PolicyError if the value can be such a number.

    Allowed are numbers that people write as such: powers of 2 (512 is 8:32), hundreds (500 is 8:20), and all below 120,
    which would be a soft limit of 1.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        return
    number = abs(value)
    soft, hard = divmod(number, 60)
    usual = number % 100 == 0 or number & (number - 1) == 0
    if 2 <= soft <= 59 and (soft <= hard or value < 0) and not usual:
        pair = f"{'-' if value < 0 else ''}{soft}:{hard}"
        raise PolicyError(
            f"{name} is {value}; YAML also reads {pair} without quotes as {value}: quote it: '{pair}' or '{value}'"
        )


folders = list_fitting(
    lambda path: str(path).startswith("/") and posixpath.normpath(str(path)) == path and str(path).count("/") > 1,
    "an absolute, normalized path, such as /srv/nova",
)


def services(name: str, value: Any) -> tuple[str, ...]:
    for service in _services(name, value):
        if service in PROTECTED_SERVICES or service.startswith("systemd-"):
            raise PolicyError(
                f"{name} has {service!r}, which administrators need too; list only services that run agents"
            )
    return once(value)


_services = list_fitting(
    lambda one: SERVICE.fullmatch(str(one)) and not str(one).endswith((".service", ".slice", ".scope", ".socket")),
    "a service's name without .service, such as build-runner",
)
# A calendar event. YAML makes a number of 10:30. Only systemd on the host can check the rest.
calendar = fitting(
    lambda value: not isinstance(value, (int, float)) and CALENDAR.fullmatch(str(value)),
    "a calendar event of systemd, such as daily or '*-*-* 00/6:00'; write a time in quotes",
)
