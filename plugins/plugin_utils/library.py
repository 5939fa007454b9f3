# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The collection's own logic as files for a host, for programs that run there without Ansible."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PACKAGE = "ansible_collections.nova.agent_host.plugins.module_utils"
MODULE_UTILS = Path(__file__).parents[1] / "module_utils"
# Not by parsing: every play does this for every host.
IMPORT = re.compile(rf"^\s*from {re.escape(PACKAGE)}(?:\.(\w+))? import (\([^)]*|.*)", re.MULTILINE)


def library_entries(module: str, folder: str) -> list[dict[str, Any]]:
    """Entries of host_state for ``module`` of module_utils and all of module_utils that it imports, below ``folder``.

    With ``folder`` in sys.path a program imports the module by its full name. Raises ValueError where there is no such
    module.
    """
    contents: dict[str, str] = {}
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name not in contents:
            contents[name] = _source(name)
            for submodule, names in IMPORT.findall(contents[name]):
                wanted += [submodule] if submodule else re.findall(r"\w+", names)
    place = f"{folder}/{PACKAGE.replace('.', '/')}"
    return [{"path": f"{place}/{name}.py", "content": contents[name], "mode": "0644"} for name in sorted(contents)]


def _source(name: str) -> str:
    path = MODULE_UTILS / f"{name}.py"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in MODULE_UTILS.glob("*.py")))
        raise ValueError(f"library_entries: no module {name!r} in module_utils, only: {known}")
    return path.read_text(encoding="utf-8")
