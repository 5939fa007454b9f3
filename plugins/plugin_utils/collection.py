# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The collection's own files on the controller: argument specs, defaults and templates of the roles.

They are read when an action plugin is loaded, before Ansible forks a process for each host.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jinja2
from ansible.module_utils.common.yaml import yaml_load

from ..module_utils.desired.features import ROLES
from ..module_utils.desired.variables import Spec

try:
    from ansible.template import trust_as_template  # ansible-core 2.19 or newer
except ImportError:

    def trust_as_template(value: str) -> str:
        return value


ROOT = Path(__file__).parents[2]
LIKE_OURS = re.compile("agents?_")


def _yaml(path: Path) -> Any:
    return yaml_load(path.read_text(encoding="utf-8")) or {}


def _specs() -> dict[str, Spec]:
    found: dict[str, Spec] = {}
    for role in ROLES:
        file = ROOT / f"roles/{role}/meta/argument_specs.yml"
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing: every feature of desired/features.py needs its role's folder")
        found.update(_yaml(file)["argument_specs"]["main"]["options"])
    return found


SPECS = _specs()
# Defaults may refer to other variables, as in "{{ agent_policy_rust_channel }}".
DEFAULTS: dict[str, Any] = {
    name: trust_as_template(value) if isinstance(value, str) else value
    for role in ROLES
    for name, value in _yaml(ROOT / f"roles/{role}/defaults/main.yml").items()
}

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(ROOT / "roles"),
    trim_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # shell scripts and unit files
)
# With Ansible's names, so that users can use a copy of a template.
_ENVIRONMENT.filters.update(
    {
        "ansible.builtin.quote": lambda value: shlex.quote(str(value)),
        "ansible.builtin.to_json": json.dumps,
    }
)


def template_of(variable: str) -> str:
    """The path below roles/ of the collection's own file for ``variable``, such as agent_limits_template."""
    role = next(role for role in ROLES if variable.startswith(f"{role}_"))
    kind = "templates" if variable.endswith("_template") else "files"
    return f"{role}/{kind}/{DEFAULTS[variable]}"


_TEMPLATES = {name: _ENVIRONMENT.get_template(name) for name in _ENVIRONMENT.list_templates(extensions=["j2"])}
_SOURCES: dict[str, str] = {}


def rendered(path: str, context: dict[str, object]) -> str:
    """The text of a file of the collection below roles/, rendered if it is a template."""
    if path in _TEMPLATES:
        return _TEMPLATES[path].render(context)
    if path not in _SOURCES:
        _SOURCES[path] = (ROOT / "roles" / path).read_text(encoding="utf-8")
    return _SOURCES[path]
