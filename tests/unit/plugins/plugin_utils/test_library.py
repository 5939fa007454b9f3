# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""What library_entries puts on a host is all that a program needs, without Ansible."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.plugin_utils.library import MODULE_UTILS, PACKAGE, library_entries


def test_a_program_works_with_the_files_alone(tmp_path):
    for entry in library_entries("budget", str(tmp_path)):
        Path(entry["path"]).parent.mkdir(parents=True, exist_ok=True)
        Path(entry["path"]).write_text(entry["content"], encoding="utf-8")
    program = f"import sys; sys.path = [{str(tmp_path)!r}, *sys.path[:3]]; from {PACKAGE}.budget import memory_budget; "
    program += "print(memory_budget(1536 * 2**30, 192)['recommended_agents'])"
    done = subprocess.run([sys.executable, "-ISc", program], check=True, text=True, stdout=subprocess.PIPE)
    assert done.stdout == "300\n"


def test_only_what_is_imported_comes_along():
    names = {Path(entry["path"]).stem for entry in library_entries("manifest", "/lib")}
    assert "manifest" in names and "budget" not in names


def test_every_import_of_module_utils_is_found():
    for file in MODULE_UTILS.glob("*.py"):
        names = {Path(entry["path"]).stem for entry in library_entries(file.stem, "/lib")}
        for imported in re.findall(rf"{PACKAGE}(?:\.| import )(\w+)", file.read_text(encoding="utf-8")):
            assert imported in names, (file, imported)


def test_a_module_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="^library_entries: no module 'budgte' in module_utils, only: accounts, "):
        library_entries("budgte", "/lib")
