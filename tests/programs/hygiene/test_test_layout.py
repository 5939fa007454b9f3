# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""check-test-layout as a command, compared with a real cargo if the machine has one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import sysroot

PROGRAM = Path(__file__).parents[3] / "roles" / "agent_hygiene" / "files" / "check-test-layout"
NEW = "mod harness {{ mod {}; }}"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def package(text: str = "", edition: str = "2021") -> str:
    return f'[package]\nname = "demo"\nversion = "0.1.0"\nedition = "{edition}"\n{text}'


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *arguments], cwd=cwd, capture_output=True, text=True)


def loose(folder: Path) -> dict[str, tuple[str, str, str]]:
    done = run("--json", folder)
    assert done.stderr == ""
    found = json.loads(done.stdout)["loose"]
    assert done.returncode == (1 if found else 0)
    return {file["file"]: (file["move_to"], file["declare"], file["declare_in"]) for file in found}


HARNESS = '[[test]]\nname = "harness"\n'
CASES = {
    "the layout of the guide": (
        package(),
        {"tests/parser_tests.rs": "mod parser;", "tests/parser/mod.rs": "", "tests/parser/your_new_test.rs": "",
         "tests/semantic_tests.rs": "mod semantic;", "tests/semantic/mod.rs": ""},
        {},
    ),
    "no tests": (package(), {}, {}),
    "a loose file, and nothing else": (
        package(), {"tests/x.rs": ""}, {"tests/x.rs": ("tests/harness/x.rs", NEW.format("x"), "tests/harness.rs")},
    ),
    "a declared harness": (package(HARNESS), {"tests/harness.rs": ""}, {}),
    "a loose file beside a declared harness": (
        package(HARNESS), {"tests/harness.rs": "", "tests/x.rs": ""},
        {"tests/x.rs": ("tests/harness/x.rs", "mod harness { mod x; }", "tests/harness.rs")},
    ),
    "the harness with the nearest name": (
        package(),
        {"tests/lexer_tests.rs": "", "tests/lexer/mod.rs": "", "tests/parser_tests.rs": "", "tests/parser/mod.rs": "",
         "tests/parser_errors.rs": ""},
        {"tests/parser_errors.rs": ("tests/parser/parser_errors.rs", "mod parser_errors;", "tests/parser/mod.rs")},
    ),
    "a harness in a folder": (
        package(), {"tests/all/main.rs": "", "tests/x.rs": ""}, {"tests/x.rs": ("tests/all/x.rs", "mod x;", "tests/all/main.rs")},
    ),
    "a declared path": (
        package('[[test]]\nname = "it"\npath = "tests/./integration.rs"\n'), {"tests/integration.rs": ""}, {},
    ),
    "shared helpers": (
        package(HARNESS), {"tests/harness.rs": "mod common;", "tests/common.rs": ""},
        {"tests/common.rs": ("tests/common/mod.rs", "", "")},
    ),
    "shared helpers with a folder": (
        package(HARNESS), {"tests/harness.rs": "mod common;", "tests/common.rs": "mod more;", "tests/common/more.rs": ""},
        {"tests/common.rs": ("tests/common/mod.rs", "", "")},
    ),
    "autotests = false": (
        package("autotests = false\n" + HARNESS), {"tests/harness.rs": 'mod common;\n#[path = "data.rs"] mod d;', "tests/common.rs": "", "tests/data.rs": ""}, {},
    ),
    "autotests = false, and a test that never runs": (
        package("autotests = false\n" + HARNESS), {"tests/harness.rs": "", "tests/x.rs": "", "tests/x/mod.rs": ""},
        {"tests/x.rs": ("tests/harness/x.rs", "mod harness { mod x; }", "tests/harness.rs")},
    ),
    "edition 2015 and a declared harness: no discovery": (
        package(HARNESS, "2015"), {"tests/harness.rs": "mod common;", "tests/common.rs": ""}, {},
    ),
    "edition 2015 without a declared harness": (
        package("", "2015"), {"tests/x.rs": ""}, {"tests/x.rs": ("tests/harness/x.rs", NEW.format("x"), "tests/harness.rs")},
    ),
    "files that are not Rust files": (package(), {"tests/data.json": "", "tests/dir.rs/x": "", "tests/rs": ""}, {}),
    "[[test]] in an inline array": (
        'test = [{ name = "harness" }]\n' + package(), {"tests/harness.rs": ""}, {},
    ),
    "an entry in a comment": (
        package('# [[test]]\n# name = "x"\n'), {"tests/x.rs": ""}, {"tests/x.rs": ("tests/harness/x.rs", NEW.format("x"), "tests/harness.rs")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_loose_file_is_named_with_its_destination(tmp_path: Path, case: str) -> None:
    manifest, files, expected = CASES[case]
    write(tmp_path, {"Cargo.toml": manifest, "src/lib.rs": "", **files})
    assert loose(tmp_path) == expected


@pytest.mark.skipif(sysroot() is None, reason="this machine has no rustc with a C linker")
@pytest.mark.parametrize("case", CASES)
def test_cargo_compiles_exactly_the_loose_files(tmp_path: Path, case: str) -> None:
    """The checker names exactly the targets of cargo that are not declared and have no folder."""
    manifest, files, expected = CASES[case]
    write(tmp_path, {"Cargo.toml": manifest, "src/lib.rs": "", **files})
    cargo = [
        "cargo",
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version=1",
        "--manifest-path",
        tmp_path / "Cargo.toml",
    ]
    metadata = json.loads(subprocess.run(cargo, check=True, capture_output=True, env=with_cargo()).stdout)
    compiled = {
        os.path.relpath(target["src_path"], tmp_path)
        for target in metadata["packages"][0]["targets"]
        if target["kind"] == ["test"]
    }
    if "never runs" in case:
        assert not set(expected) & compiled
    else:
        assert set(expected) <= compiled
    accepted = {path for path in compiled if path.count("/") == 1} - set(expected)
    for path in accepted:
        stem = Path(path).stem
        assert (
            "[[test]]" in manifest
            or "test = [" in manifest
            or (tmp_path / "tests" / re.sub("_tests?$", "", stem)).is_dir()
        ), path


def with_cargo() -> dict[str, str]:
    return {"PATH": f"{sysroot()}/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/root")}


@pytest.mark.skipif(sysroot() is None, reason="this machine has no rustc with a C linker")
@pytest.mark.parametrize(
    "case", [case for case in CASES if CASES[case][2] and "helpers" not in case and "autotests" not in case]
)
def test_moved_file_is_not_reported_again_and_its_test_runs(tmp_path: Path, case: str) -> None:
    manifest, files, expected = CASES[case]
    write(tmp_path, {"Cargo.toml": manifest, "src/lib.rs": "", **files})
    for number, (file, (move_to, declare, declare_in)) in enumerate(expected.items()):
        (tmp_path / file).write_text(f"#[test] fn moved_{number}() {{}}\n")
        (tmp_path / move_to).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(tmp_path / file, tmp_path / move_to)
        with open(tmp_path / declare_in, "a") as harness:
            harness.write(f"\n{declare}\n")
    if "nearest" in case:
        for name in ("lexer", "parser"):
            (tmp_path / f"tests/{name}_tests.rs").write_text(f"mod {name};")
    assert loose(tmp_path) == {}
    listed = subprocess.run(
        ["cargo", "test", "--offline", "-q", "--tests", "--", "--list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=with_cargo(),
    )
    for number in range(len(expected)):
        assert f"moved_{number}: test" in listed.stdout, listed.stdout + listed.stderr


def workspace(folder: Path) -> Path:
    member = package().replace("demo", "{}")
    return write(folder, {
        "Cargo.toml": '[workspace]\nmembers = ["crates/*", "tools/one"]\nexclude = ["crates/left-out", "tools/two"]\n',
        **{f"crates/{name}/Cargo.toml": member.format(name) for name in ("a", "b", "left-out")},
        **{f"crates/{name}/tests/x.rs": "" for name in ("a", "b", "left-out")},
        "crates/notes/README.md": "no package",
        "tools/one/Cargo.toml": member.format("one") + '[dependencies]\nthree = { path = "../three" }\ntwo.path = "../two"\n',
        "tools/two/Cargo.toml": member.format("two"), "tools/two/tests/x.rs": "",
        "tools/three/Cargo.toml": member.format("three"), "tools/three/tests/x.rs": "",
        "tools/four/Cargo.toml": member.format("four"), "tools/four/tests/x.rs": "",
        "crates/a/tests/fixtures/f/Cargo.toml": member.format("f"), "crates/a/tests/fixtures/f/tests/x.rs": "",
    })  # fmt: skip


def test_members_of_a_workspace_are_the_same_as_for_cargo(tmp_path: Path) -> None:
    workspace(tmp_path)
    assert list(loose(tmp_path)) == ["crates/a/tests/x.rs", "crates/b/tests/x.rs", "tools/three/tests/x.rs"]
    assert json.loads(run("--json", tmp_path).stdout)["packages"] == 4


def test_package_is_found_from_a_folder_inside_it(tmp_path: Path) -> None:
    workspace(tmp_path)
    assert list(loose(tmp_path / "crates" / "a" / "tests")) == ["x.rs"]


def test_text_output_has_one_line_for_each_file(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": package(), "src/lib.rs": "", "tests/x.rs": ""})
    done = run(cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "tests/x.rs: cargo compiles and links a separate binary for it; move it to tests/harness/x.rs and put "
        '"mod harness { mod x; }" into tests/harness.rs\n',
        "1 loose test files in 1 packages\n",
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "check-test-layout: {}: no Cargo.toml here"),
        ({"Cargo.toml": "[package\n"}, "check-test-layout: {}/Cargo.toml: "),
        (
            {"Cargo.toml": '[workspace]\nmembers = ["gone"]\n'},
            "check-test-layout: {}/gone/Cargo.toml: No such file or directory\n",
        ),
        ({"Cargo.toml": "deep = " + "[" * 100_000}, "check-test-layout: {}/Cargo.toml: "),
    ],
)
def test_unreadable_file_ends_with_status_2_and_its_path(tmp_path: Path, files: dict[str, str], message: str) -> None:
    done = run(write(tmp_path, files))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message.format(tmp_path)) and done.stderr.count("\n") == 1


def test_link_to_itself_is_neither_a_file_nor_a_folder(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": package(), "tests/x.rs": ""})
    for name in ("loop", "loop.rs"):
        (tmp_path / "tests" / name).symlink_to(name)
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (1, "1 loose test files in 1 packages\n")
    shutil.rmtree(tmp_path / "tests")
    (tmp_path / "tests").symlink_to("tests")
    done = run(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and str(tmp_path / "tests") in done.stderr


OLD_PYTHON = """
import runpy, sys
sys.modules["tomli"] = {tomli}
sys.modules["tomllib"] = None  # as before Python 3.11
sys.argv = ["check-test-layout", {folder!r}]
sys.dont_write_bytecode = True
runpy.run_path({program!r}, run_name="__main__")
"""


def on_old_python(folder: Path, tomli: str) -> subprocess.CompletedProcess[str]:
    program = OLD_PYTHON.format(tomli=tomli, folder=str(folder), program=str(PROGRAM))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_missing_toml_library_names_the_package(tmp_path: Path) -> None:
    done = on_old_python(write(tmp_path, {"Cargo.toml": package()}), "None")
    assert (done.returncode, done.stdout) == (2, "")
    assert "python3-tomli" in done.stderr and done.stderr.count("\n") == 1


def test_old_python_reads_toml_with_tomli(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": package(), "tests/x.rs": ""})
    done = on_old_python(tmp_path, "__import__('tomllib')")
    assert (done.returncode, done.stdout.count("\n")) == (1, 1), done.stderr
