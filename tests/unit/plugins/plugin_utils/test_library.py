# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""library_files returns all files that a program needs without Ansible."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import ROLES, wanted_of
from ansible_collections.nova.agent_host.plugins.plugin_utils import rendering
from ansible_collections.nova.agent_host.plugins.plugin_utils.library import MODULE_UTILS, PACKAGE, library_files
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import host, policy


def test_program_runs_with_only_the_files_of_its_library(tmp_path):
    for path, text in library_files("budget.arithmetic").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    program = f"import sys; sys.path = [{str(tmp_path)!r}, *sys.path[:3]]\nfrom {PACKAGE}.budget.arithmetic import *\n"
    program += "print(compute_budget(BudgetPolicy(), HostSize(1536 * 2**30, 192))['recommended_agents'])"
    done = subprocess.run([sys.executable, "-ISc", program], check=True, text=True, stdout=subprocess.PIPE)
    assert done.stdout == "300\n"


def paths(module):
    """The files of a library, below module_utils."""
    return {path.partition("module_utils/")[2] for path in library_files(module)}


def test_library_has_only_imported_modules():
    assert paths("budget.table") == {
        "budget/__init__.py",
        "budget/arithmetic.py",
        "budget/host.py",
        "budget/policy.py",
        "budget/table.py",
        "sizes.py",
        "text.py",
    }


def test_every_import_of_module_utils_is_found():
    files = [file.relative_to(MODULE_UTILS) for file in MODULE_UTILS.rglob("*.py") if file.name != "__init__.py"]
    for file in files:
        included = paths(".".join(file.with_suffix("").parts))
        for node in ast.walk(ast.parse((MODULE_UTILS / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                name = "/".join([*file.parts[: -node.level], *filter(None, [node.module])]).replace(".", "/")
                one_module = {f"{name}.py"}
                modules = {f"{name}/{alias.name}.py".lstrip("/") for alias in node.names}
                assert one_module <= included or modules <= included, (file, name)


def test_missing_module_is_named():
    with pytest.raises(ValueError, match="budgte.*audit.diff, "):
        library_files("budgte")


def test_libraries_of_a_default_host_are_read_before_the_first_host():
    """Ansible forks a process for each host, which would read them again."""
    library_files.cache_clear()
    importlib.reload(rendering)
    read_before = library_files.cache_info().misses
    ours = policy()
    rendered = rendering.render(wanted_of(ours, host(), ROLES), ours.values, lambda *_own: "")
    assert any("module_utils" in entry.path for role in rendered for entry in role.entries)
    assert library_files.cache_info().misses == read_before
