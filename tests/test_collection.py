# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The whole collection: versions, tables and links agree with the tree, and the tarball has exactly the files for users."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import variables
import yaml
from ansible_collections.nova.agent_host.plugins.module_utils.version import COLLECTION, VERSION

ROOT = Path(__file__).parents[1]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_manifest_has_the_version_of_galaxy_yml():
    assert f"{GALAXY['namespace']}.{GALAXY['name']}" == COLLECTION
    assert GALAXY["version"] == VERSION


def test_all_addresses_begin_with_the_address_of_the_repository():
    assert all(GALAXY[name].startswith(GALAXY["repository"]) for name in ("documentation", "homepage", "issues"))


def test_documentation_of_internal_plugins_says_internal():
    paragraph = (ROOT / "README.md").read_text().partition("New versions stay compatible")[2].partition("\n\n")[0]
    for folder in ("modules", "filter"):
        for path in (ROOT / "plugins" / folder).glob("[a-z]*.py"):
            internal = re.search(r'^short_description: "Internal: ', path.read_text(), re.MULTILINE)
            assert bool(internal) != (f"`{path.stem}`" in paragraph), path.name


def test_requirements_name_no_package_index():
    for path in (*ROOT.glob("requirements*"), *ROOT.glob("tools/**/requirements*")):
        assert re.findall(r"^.*(?:://|--\S*index|--find-links).*", path.read_text(), re.MULTILINE) == [], path


def test_hooks_of_pre_commit_find_faults(tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(clone)], check=True)
    (clone / ".venv").symlink_to(ROOT / ".venv")

    def hooks() -> str:
        environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home"), "PRE_COMMIT_COLOR": "never"}
        command = ["pre-commit", "run", "--all-files"]
        return subprocess.run(command, cwd=clone, env=environment, check=False, capture_output=True, text=True).stdout

    assert "Failed" not in hooks() and "Passed" in hooks()
    (clone / "tools/install.sh").write_text('#!/bin/sh\necho $1 "$arr[0]"\n')
    (clone / "tools/page.py").write_text("import os\n")
    (clone / "galaxy.yml").write_text("a:  1\n")
    subprocess.run(["git", "add", "--all"], cwd=clone, check=True)
    output = hooks()
    assert [line.split(".")[0] for line in output.splitlines() if line.endswith("Failed")] == [
        "ruff check",
        "yamllint",
        "shellcheck",
    ], output


def test_table_of_variables_matches_the_argument_specs():
    assert (ROOT / "docs/variables.md").read_text() == variables.page(), "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_existing_paths(page):
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) - targets == set()
    for name in re.findall(r"nova\.agent_host\.([a-z_]+)", text):
        parts = ("playbooks/{}.yml", "roles/{}", "plugins/modules/{}.py", "plugins/filter/{}.py")
        assert any((ROOT / part.format(name)).exists() for part in parts), name
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        # The docs site has the folder docs as guides.
        assert (page.parent / link.replace("guides/", "../")).exists(), link


def test_tarball_installs_without_tests_and_caches(tmp_path):
    build = ["ansible-galaxy", "collection", "build", "--output-path", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (tarball,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    top = {name.split("/")[0] for name in names}
    assert top == {
        "CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "SECURITY.md", "changelogs", "docs", "meta",
        "playbooks", "plugins", "roles",
    }  # fmt: skip
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []
    assert tarball.stat().st_size < 1_000_000
    install = ["ansible-galaxy", "collection", "install", "--offline", "--force", "-p", str(tmp_path / "installed")]
    subprocess.run([*install, str(tarball)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert (tmp_path / "installed/ansible_collections/nova/agent_host/playbooks/site.yml").exists()
