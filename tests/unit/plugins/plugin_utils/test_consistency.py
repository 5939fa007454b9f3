# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The lists that must have each role. Each failure names the missing entry."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from ansible_collections.nova.agent_host.plugins.module_utils.desired import variables as read
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import FEATURES, ROLES
from ansible_collections.nova.agent_host.plugins.plugin_utils import collection
from ansible_collections.nova.agent_host.plugins.plugin_utils.library import MODULE_UTILS

ROOT = Path(collection.ROOT)
FOLDERS = sorted(path.name for path in (ROOT / "roles").iterdir() if path.name.startswith("agent_"))
FILE_VARIABLES = ("_template", "_file")
by_role = pytest.mark.parametrize("role", FOLDERS)


def options(role: str) -> dict[str, read.Spec]:
    file = ROOT / f"roles/{role}/meta/argument_specs.yml"
    found: dict[str, read.Spec] = yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
    return found


def files_of(role: str) -> set[str]:
    """The templates and files of a role that a variable may replace."""
    return {
        f"{folder}/{path.name}"
        for folder in ("templates", "files")
        if (ROOT / f"roles/{role}/{folder}").is_dir()
        for path in (ROOT / f"roles/{role}/{folder}").iterdir()
    }


def test_every_role_has_a_feature_and_every_feature_a_role():
    missing = sorted(set(FOLDERS) - set(ROLES))
    assert missing == [], f"enter desired/{missing}.py in FEATURES of module_utils/desired/features.py"
    alone = sorted(set(ROLES) - set(FOLDERS))
    assert alone == [], f"FEATURES has {alone}, without a folder roles/NAME"
    assert len(set(ROLES)) == len(ROLES), "a feature is entered twice in FEATURES"


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.ROLE)
def test_feature_has_the_name_of_its_module_and_all_functions(feature):
    assert feature.__name__.rpartition(".")[2] == feature.ROLE, f"name the module desired/{feature.ROLE}.py"
    functions = ("problems", "host_problems", "wanted")
    missing = [name for name in functions if not callable(getattr(feature, name, None))]
    assert missing == [], f"desired/{feature.ROLE}.py has no function {missing}; see Feature in desired/features.py"


@by_role
def test_every_variable_is_read_by_the_feature_or_names_a_file(role):
    (feature,) = [feature for feature in FEATURES if role == feature.ROLE]
    described, read_ones = set(options(role)), {f"{role}_{item.name}" for item in fields(feature.Variables)}
    unread = sorted(name for name in described - read_ones if not name.endswith(FILE_VARIABLES))
    assert unread == [], f"add fields to Variables of desired/{role}.py, or remove these from argument_specs.yml"
    undescribed = sorted(read_ones - described)
    assert undescribed == [], f"describe these in roles/{role}/meta/argument_specs.yml"


@by_role
def test_defaults_and_argument_specs_agree(role):
    defaults = yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text(encoding="utf-8"))
    assert {name: option.get("default") for name, option in options(role).items()} == defaults, (
        f"roles/{role}: defaults/main.yml and meta/argument_specs.yml differ"
    )


@by_role
def test_every_file_of_a_role_exists_and_is_used(role):
    named = {name for name in options(role) if name.endswith(FILE_VARIABLES)}
    replaceable = {collection.template_of(name).partition("/")[2] for name in named}
    missing = sorted(replaceable - files_of(role))
    assert missing == [], f"these defaults name no file of roles/{role}"
    text = (MODULE_UTILS / f"desired/{role}.py").read_text(encoding="utf-8")
    unused = sorted(name for name in named if not re.search(rf"{name}|{name.removeprefix(f'{role}_')}\b", text))
    assert unused == [], f"desired/{role}.py has no Entry with Template(...) for these variables"
    feature = _feature(role)
    named_files = [*getattr(feature, "PROGRAMS", ()), *getattr(feature, "FILES", ())]
    programs = {f"files/{name.replace('/', '-')}" for name in named_files}
    programs |= {name for name in files_of(role) if re.search(rf"{{ROLE}}/{re.escape(name)}", text)}
    not_installed = sorted(files_of(role) - replaceable - programs)
    assert not_installed == [], f"nothing in desired/{role}.py puts these files of roles/{role} on a host"


def _feature(role):
    return next(feature for feature in FEATURES if role == feature.ROLE)


@by_role
def test_tasks_of_a_role_apply_only_that_role_and_the_accounts(role):
    tasks = (ROOT / f"roles/{role}/tasks/main.yml").read_text(encoding="utf-8")
    named = re.findall(r"__agent_policy_roles: \[(.*)\]", tasks)
    assert named == [", ".join(dict.fromkeys(["agent_policy", role]))], f"roles/{role}/tasks/main.yml names {named}"


@by_role
def test_every_role_is_documented(role):
    readme = ROOT / f"roles/{role}/README.md"
    assert readme.is_file(), f"write {readme.relative_to(ROOT)}"
    assert role in (ROOT / "README.md").read_text(encoding="utf-8"), f"README.md does not name {role}"


def test_playbooks_name_only_existing_roles():
    for file in (ROOT / "playbooks").rglob("*.yml"):
        found = re.findall(r"nova\.agent_host\.(agent_[a-z_]+)", file.read_text(encoding="utf-8"))
        unknown = {name for name in found if name not in ROLES and not (ROOT / f"plugins/modules/{name}.py").is_file()}
        assert unknown == set(), f"{file.relative_to(ROOT)} names {unknown}"


@pytest.mark.parametrize("action", sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py")))
def test_every_action_is_documented(action):
    assert (ROOT / f"plugins/modules/{action}.py").is_file(), (
        f"ansible-doc finds the documentation of an action in plugins/modules/{action}.py"
    )
