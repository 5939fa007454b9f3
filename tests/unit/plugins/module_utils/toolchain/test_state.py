# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import ToolchainTree
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import apply as toolchain_apply
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import state as toolchain_state
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.compare import plan
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.state import (
    Inspection,
    difference,
    fingerprint,
    observe_toolchain,
    used_generations,
)

NOTHING = ToolchainTree(present=False, request="", toolchains=[], problems=[], in_use=[])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with a receipt, created without rustup."""
    generation = tmp_path / ".toolchain/abcd1234"
    (generation / "bin").mkdir(parents=True)
    (tmp_path / ".toolchain").chmod(0o755)
    (generation / "bin/rustup").write_text("rustup")
    (generation / "bin/cargo").symlink_to("rustup")
    receipt = {"request": {"channel": "1.92.0"}, "toolchains": [], "files": fingerprint(str(generation))}
    (generation / "receipt.json").write_text(json.dumps(receipt))
    (generation / "receipt.json").chmod(0o644)
    (tmp_path / "toolchain").symlink_to(".toolchain/abcd1234")
    return tmp_path / "toolchain"


def test_missing_toolchain_is_reported(tmp_path: Path):
    assert observe_toolchain(str(tmp_path / "toolchain")) == NOTHING


def test_intact_tree_has_no_problems(tree: Path):
    found = observe_toolchain(str(tree))
    assert found == replace(NOTHING, present=True, request='{"channel": "1.92.0"}')


def test_files_created_by_use_as_root_are_not_damage(tree: Path):
    (tree / "bin/__pycache__").mkdir()
    (tree / "bin/__pycache__/x.pyc").write_text("")
    assert observe_toolchain(str(tree)).problems == []


def test_each_kind_of_damage_is_described(tree: Path):
    generation = tree.resolve()
    (generation / "bin/cargo").unlink()
    (generation / "bin/cargo").symlink_to("/bin/true")
    (generation / "bin/rustup").chmod(0o777)
    (generation / "more").mkdir()
    assert observe_toolchain(str(tree)).problems == [
        f"{generation}/bin/cargo: target /bin/true, not rustup",
        f"{generation}/bin/rustup: mode 0777, not 0644",
        f"{generation}/more: does not belong here",
    ]


def test_long_list_is_cut(tree: Path):
    for number in range(30):
        (tree / f"x{number}").touch()
    problems = observe_toolchain(str(tree)).problems
    assert (len(problems), problems[-1]) == (21, "and 10 more")


def test_missing_folder_is_named_once(tree: Path):
    for path in (tree / "bin").iterdir():
        path.unlink()
    (tree / "bin").rmdir()
    assert observe_toolchain(str(tree)).problems == [f"{tree.resolve()}/bin: is missing"]


@pytest.mark.parametrize("target", ["/elsewhere", ".toolchain/gone", "../.toolchain/abcd1234", ".toolchain/../etc"])
def test_link_to_another_target_is_reported(tree: Path, target: str):
    tree.unlink()
    tree.symlink_to(target)
    found = observe_toolchain(str(tree))
    assert found.present is False
    assert found.problems[0] == f"{tree}: not a link to a generation in {tree.parent}/.toolchain"


def test_leftovers_of_interrupted_runs_are_found(tree: Path):
    other = tree.parent / ".toolchain/halfway1"
    other.mkdir()
    assert observe_toolchain(str(tree)).problems == [f"{other}: left by an earlier or interrupted run"]


def test_old_generations_in_use_are_found(tree: Path, tmp_path: Path):
    old = tree.parent / ".toolchain/old12345"
    (old / "bin").mkdir(parents=True)
    program = old / "bin/sleep"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([program, "600"]) as running:
        try:
            assert used_generations(str(tree.parent / ".toolchain")) == {old.name}
            found = observe_toolchain(str(tree))
        finally:
            running.kill()
    assert (found.in_use, found.problems) == ([str(old)], [])


@pytest.mark.parametrize(
    ("receipt", "error"),
    [
        ([], "TypeError"),
        ({"request": {}, "files": {}, "toolchains": [{"name": "", "channel": "a b", "profile": "", "components": [], "targets": []}]}, "RequestError"),
        ({"request": {}, "files": {".": "directory 0:0 0755"}, "toolchains": [{"name": "a", "channel": "1.92.0", "version": 5, "profile": "minimal", "components": [], "targets": []}]}, "DecodeError"),
    ],
)  # fmt: skip
def test_invalid_receipt_is_damage(tree: Path, receipt: object, error: str):
    """Not an exception: the next apply replaces the generation, and retire removes it."""
    path = tree.resolve() / "receipt.json"
    path.write_text(json.dumps(receipt))
    assert observe_toolchain(str(tree)).problems == [f"{path}: can't be read ({error})"]


def test_receipt_without_the_version_of_rustup_is_no_error_in_check_mode(tree: Path):
    assert "rustup unknown" in toolchain_apply.preview(str(tree), REQUEST, "x86_64").diff["before"]


@pytest.mark.parametrize(
    ("wanted", "found", "words"),
    [
        ("file 0:0 0755 10 1", "file 0:0 0755 9 1", "size 9, not 10"),
        ("file 0:0 0755 10 1", "file 0:0 0755 10 2", "changed since the installation"),
        ("file 0:0 0755 10 1", "file 7:0 0777 10 1", "owner 7:0, not 0:0, mode 0777, not 0755"),
        ("link 0:0 rustup", "link 0:0 a b", "target a b, not rustup"),
        ("directory 0:0 0755", "link 0:0 /tmp", "is a link, not a directory"),
    ],
)
def test_differences_are_described(wanted: str, found: str, words: str):
    assert difference(wanted, found) == words


REQUEST = Request.from_options(
    {
        "channel": "1.92.0",
        "extra": [{"channel": "1.93.0"}],
        "rustup_version": "1.29.0",
        "rustup_checksums": {"aarch64": "0" * 64},
    }
)


def inspected(**more: object) -> Inspection:
    toolchains = [{**toolchain.to_dict(), "name": "", "version": ""} for toolchain in REQUEST.toolchains]
    files = {f"rustup/toolchains/{name}-aarch64-unknown-linux-gnu": "" for name in ("1.92.0", "1.93.0")}
    receipt = {"request": REQUEST.to_dict(), "toolchains": toolchains, "files": files}
    return Inspection("/opt/x/toolchain", "/opt/x/.toolchain/a", receipt, **more)  # type: ignore[arg-type]


def test_plan_of_a_compliant_host_is_empty():
    assert not plan(REQUEST, inspected(), "aarch64-unknown-linux-gnu").generation


def test_only_damaged_toolchains_are_reinstalled():
    damaged = {"rustup/toolchains/1.93.0-aarch64-unknown-linux-gnu/bin/rustc": "is missing"}
    steps = plan(REQUEST, inspected(damaged=damaged), "aarch64-unknown-linux-gnu")
    assert [toolchain.channel for toolchain in steps.keep] == ["1.92.0"]
    assert [toolchain.channel for toolchain in steps.install] == ["1.93.0"]


def test_leftovers_need_no_new_generation():
    assert not plan(REQUEST, inspected(leftovers=["/opt/x/.toolchain/b"]), "aarch64-unknown-linux-gnu").generation


def test_observation_only_reads(tree: Path):
    """It is part of the look at a host: no process, no network, no written file."""
    code = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    if event.split('.')[0] in ('subprocess', 'socket') or event in ('os.system', 'os.posix_spawn', 'os.fork'):\n"
        "        raise SystemExit(event)\n"
        "    if event == 'open' and arguments[2] & 3: raise SystemExit(str(arguments))\n"
        f"from {toolchain_state.__name__} import observe_toolchain\n"
        "sys.addaudithook(watch)\n"
        "observe_toolchain(sys.argv[1])\n"
    )
    (tree / "bin/rustup").chmod(0o777)  # damage, so that it looks at everything
    subprocess.run([sys.executable, "-c", code, str(tree)], check=True)
