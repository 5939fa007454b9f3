# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Modules of the collection as files, for programs that run on a host without Ansible."""

from __future__ import annotations

import functools
import re
from pathlib import Path

PACKAGE = "ansible_collections.nova.agent_host.plugins.module_utils"
MODULE_UTILS = Path(__file__).parents[1] / "module_utils"
# A regular expression instead of a parser, because every play does this for every host.
IMPORT = re.compile(r"^\s*from (\.+)([\w.]*) import (\([^)]*|.*)", re.MULTILINE)


@functools.cache
def library_files(module: str) -> dict[str, str]:
    """The path below the library's folder and the content of ``module`` of module_utils (as in status.command) and of
    all modules that it imports.

    With that folder in sys.path a program imports the module by its full name. Raises ValueError for an unknown module.
    """
    contents: dict[str, str] = {}  # by path below module_utils
    wanted = [_file(module)]
    while wanted:
        file = wanted.pop()
        if file in contents:
            continue
        contents[file] = (MODULE_UTILS / file).read_text(encoding="utf-8")
        if "/" in file:
            contents[f"{file.partition('/')[0]}/__init__.py"] = ""
        for dots, name, imported in IMPORT.findall(contents[file]):
            folders = file.split("/")[: -len(dots)]
            wanted += _imported_files(".".join([*folders, *filter(None, [name])]), imported)
    place = PACKAGE.replace(".", "/")
    return {f"{place}/{file}": contents[file] for file in sorted(contents)}


def _imported_files(name: str, imported: str) -> list[str]:
    """Of ``from name import imported``, where ``name`` is a module, or a package whose modules are imported."""
    path = name.replace(".", "/")
    if (MODULE_UTILS / f"{path}.py").is_file():
        return [f"{path}.py"]
    modules = re.findall(r"(\w+)(?:\s+as\s+\w+)?", imported)
    return [_file(f"{name}.{module}".lstrip(".")) for module in modules]


def _file(module: str) -> str:
    path = f"{module.replace('.', '/')}.py"
    if not (MODULE_UTILS / path).is_file():
        files = [file.relative_to(MODULE_UTILS).with_suffix("") for file in MODULE_UTILS.rglob("*.py")]
        known = ", ".join(sorted(".".join(file.parts) for file in files if file.name != "__init__"))
        raise ValueError(f"no module {module!r} in module_utils, only: {known}")
    return path
