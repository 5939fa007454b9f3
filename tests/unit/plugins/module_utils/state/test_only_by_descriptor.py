# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Code on a host changes files by the descriptor of their folder, unless only root can change the folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[5]
# Functions of os that change a file by its name, and the arguments with which they use a descriptor instead.
CHANGES = {
    **dict.fromkeys(("chown", "chmod", "mkdir", "mkfifo", "mknod", "rmdir", "symlink", "unlink", "remove", "utime"), "dir_fd"),
    **dict.fromkeys(("link", "rename", "replace"), "dst_dir_fd"),
    **dict.fromkeys(("chflags", "lchmod", "lchown", "makedirs", "removedirs", "removexattr", "renames", "setxattr", "truncate"), ""),
}  # fmt: skip
# Functions of other modules, and methods of Path.
OTHERS = {"copy", "copy2", "copyfile", "copymode", "copystat", "copytree", "move", "rmtree"}
METHODS = {"hardlink_to", "symlink_to", "touch", "write_bytes", "write_text"}
WRITES = set("wax+")
# Code that may change files by name, with the reason.
ALLOWED = {
    "host/files.py": "a file in a folder of root",
    "host/kernel.py": "settings in /proc/sys",
    "hygiene/audit_log.py": "the name is /proc/self/fd/N, of a file that is open",
    "mirror/build.py": "on the controller, in a folder of the operator",
    "state/lock.py": "the lock in root's /run",
    "state/manifest.py": "the manifest in root's /var/lib",
    "state/originals.py": "originals beside the manifest",
    "status/command.py": "metrics in root's /var/lib",
    "toolchain/apply.py": "the toolchain's tree, whose parents it has checked",
    "toolchain/fetch.py": "downloads into the scratch folder of a tree",
    "toolchain/forbid.py": "the home of a tree that is built",
    "toolchain/generation.py": "a tree that is built beside the one in use",
    "warm/account.py": "writes copies of the account's files into root's folder",
    "warm/build.py": "runs as the account that builds seeds",
    "warm/bundle.py": "runs as that account, and unpacks a bundle into root's folder",
    "warm/publish.py": "writes the seeds into root's folder",
    "warm/registry.py": "writes the crates into root's folder",
    "warm/seeds.py": "removes seeds from root's folder",
    "warm/tree.py": "removes what a killed run left in root's folder",
}
# Builtin modules that change a file by name.
FILE_MODULES = {
    "acl", "assemble", "blockinfile", "copy", "file", "get_url", "git", "known_hosts", "lineinfile", "patch", "replace",
    "synchronize", "template", "tempfile", "unarchive", "uri", "xattr",
}  # fmt: skip
ALLOWED_TASKS = {
    "agent_toolchain/tasks/packages.yml": "apt's proxy in root's /run",
    "agent_policy/tasks/apply.yml": "removes seeds from root's folder",
}


def changes(tree: ast.AST) -> Iterator[str]:
    modules = {"os": "os", "shutil": "shutil"}
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update({alias.asname: alias.name for alias in node.names if alias.asname and alias.name in modules})
        elif isinstance(node, ast.ImportFrom) and node.module in modules.values():
            yield from (f"imports {alias.name}" for alias in node.names if alias.name in {*CHANGES, *OTHERS})
        elif isinstance(node, ast.Attribute):
            owner = modules.get(getattr(node.value, "id", ""))
            if owner == "os" and node.attr in CHANGES and not _has_word(calls.get(id(node)), CHANGES[node.attr]):
                yield f"os.{node.attr}"
            elif (owner == "shutil" and node.attr in OTHERS) or (owner is None and node.attr in METHODS):
                yield node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "open" and _writes(node):
            yield "open"


def _has_word(call: ast.Call | None, word: str) -> bool:
    return call is not None and word in {one.arg for one in call.keywords}


def _writes(call: ast.Call) -> bool:
    """Whether open() may write by a name, without os.open(...) or an opener with a descriptor."""
    mode = next((one.value for one in call.keywords if one.arg == "mode"), (*call.args, None, None)[1])
    opened = isinstance(call.args[0], ast.Call) and getattr(call.args[0].func, "attr", "") == "open"
    if mode is None or opened or _has_word(call, "opener"):
        return False
    return bool(set(str(getattr(mode, "value", "w"))) & WRITES)


def test_only_listed_functions_change_files_by_path():
    """A reminder for developers, not a proof: it does not find `getattr(os, name)` or a program that changes files
    (`chown`), and it does not check that a descriptor is the right one. At run time, state/change.py refuses to change
    a path in a folder that others may change."""
    folder = ROOT / "plugins"
    files = [*sorted((folder / "module_utils").rglob("*.py")), *sorted((folder / "modules").glob("*.py"))]
    found = {
        str(path.relative_to(folder)).replace("module_utils/", ""): set(changes(ast.parse(path.read_text("utf-8"))))
        for path in files
    }
    by_name = {name: what for name, what in found.items() if what}
    more = {name: what for name, what in by_name.items() if name not in ALLOWED}
    assert more == {}, (
        "use state/change.py, state/foreign.py or dir_fd; or say in ALLOWED why only root may change the folder"
    )
    assert sorted(set(ALLOWED) - set(by_name)) == [], "these no longer change files by name: remove them from ALLOWED"


def test_only_listed_tasks_change_files():
    roles = ROOT / "roles"
    tasks = [*roles.glob("*/tasks/*.yml"), *roles.glob("*/handlers/*.yml")]
    used = {str(path.relative_to(roles)): set(_modules(yaml.safe_load(path.read_text("utf-8")))) for path in tasks}
    assert {name for name, modules in used.items() if modules & FILE_MODULES} == set(ALLOWED_TASKS)


def _modules(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _modules(one)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in ("block", "rescue", "always"):
                yield from _modules(value)
            elif "." in str(name):
                yield name.rpartition(".")[2]


@pytest.mark.parametrize(
    "line",
    [
        "os.chown(path, 0, 0)", "os.rename(a, b, src_dir_fd=f)", "os.makedirs(path)", "open(path, 'w')",
        "open(path, mode='ab')", "open(path, mode)", "shutil.rmtree(path)", "Path(path).write_text('x')", "map(os.lchown, x)",
        "map(os.chown, x)", "from os import chown as own", "import os as x; x.unlink(path)",
    ],
)  # fmt: skip
def test_check_finds_a_violation(line):
    assert list(changes(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "os.chown(name, 0, 0, dir_fd=folder)",
        "open(path)",
        "open(path, 'rb')",
        "open(os.open(n, 1), 'w')",
        "os.fchown(f, 0, 0)",
    ],
)
def test_functions_with_a_descriptor_are_allowed(line):
    assert not list(changes(ast.parse(line)))
