# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Turn templates, sources and libraries of a desired state into texts. No host is contacted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..module_utils.desired.shapes import Entry, Template, Wanted
from . import collection
from .library import library_files

# Renders a user's own file: (variable, its value, context). Ansible's template lookup does.
Own = Callable[[str, str, Mapping[str, object]], str]

# Read before Ansible forks a process for each host: the libraries that every host gets.
for _module in ("status.command", "hygiene.sweep_cli", "hygiene.audit_log_cli", "crate_tests.cli"):
    library_files(_module)


def render(wanted: Iterable[Wanted], values: Mapping[str, Any], own: Own) -> list[Wanted]:
    """``wanted`` with a text in the place of every Template and Library. ``values`` are all variables."""
    return [_render(role, values, own) for role in wanted]


def _render(role: Wanted, values: Mapping[str, Any], own: Own) -> Wanted:
    entries = {entry.path: replace(entry, content=_content(entry, values, own)) for entry in role.entries}
    for library in role.libraries:
        for file, text in library_files(library.module).items():
            path = f"{library.folder}/{file}"
            entries[path] = Entry(path, content=text, mode="0644", diff=False)
    return replace(role, entries=tuple(entries.values()), libraries=())


def _content(entry: Entry, values: Mapping[str, Any], own: Own) -> str | None:
    content = entry.content
    if not isinstance(content, Template):
        return content
    name, context = content.name, {**values, **content.context}
    if "/" in name:
        return collection.rendered(name, context)
    if values[name] != collection.DEFAULTS[name]:
        return own(name, values[name], context)
    return collection.rendered(collection.template_of(name), context)


def module_roles(wanted: Sequence[Wanted]) -> list[dict[str, Any]]:
    """``wanted`` as the option ``roles`` of the module host_state."""
    return [
        {
            "role": role.role,
            "entries": [_without_defaults(entry) for entry in role.entries],
            "units": [_without_defaults(unit) for unit in role.units],
        }
        for role in wanted
    ]


def _without_defaults(item: Any) -> dict[str, Any]:
    fields = type(item).__dataclass_fields__
    return {name: getattr(item, name) for name, one in fields.items() if getattr(item, name) != one.default}
