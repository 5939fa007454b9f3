# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Seeds with the real cargo: the service builds, root publishes, and the wrapper copies."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.warm.seeds import collect, damage_of, read_seeds
from wrappers.host import GUARD, TRIPLE, eventually
from wrappers.test_real_cargo import REAL

from .host import ACCOUNT, STEPS, Warm, compiled
from .workspace import DEPENDENCIES

pytestmark = [
    pytest.mark.skipif(REAL is None, reason="this machine has no rustc with a C linker"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as publishing does"),
]


@pytest.mark.parametrize("words", ["test --no-run -p nova-core", "check -p nova-core", "clippy -p nova-core", "build"])
def test_new_checkout_compiles_only_its_own_crates(warm: Warm, checkout: Path, words: str) -> None:
    if words.startswith("clippy") and not (REAL / "bin/cargo-clippy").exists():
        pytest.skip("this machine's Rust has no clippy")
    result = warm.cargo(checkout, *words.split())
    assert compiled(result) == {"nova-core"}
    assert f"3 of 3 dependencies from seed {warm.seed.name}" in result.err
    assert warm.seed.name not in warm.cargo(checkout, *words.split()).err
    shutil.rmtree(checkout / "target")
    assert compiled(warm.cargo(checkout, *words.split(), NOVA_CARGO_NO_SEED="1")) == DEPENDENCIES | {"nova-core"}


def test_seed_is_not_used_with_another_lock_flags_profile_or_toolchain(warm: Warm, checkout: Path) -> None:
    all_crates = {"nova-core", *DEPENDENCIES}
    (checkout / "Cargo.lock").write_text((checkout / "Cargo.lock").read_text() + "# another\n")
    assert compiled(warm.cargo(checkout, "build")) == all_crates
    shutil.copy(warm.source / "Cargo.lock", checkout)
    for environment in ({"RUSTFLAGS": "-Cdebuginfo=0"}, {"CARGO_PROFILE_DEV_OPT_LEVEL": "1"}):
        shutil.rmtree(checkout / "target")
        assert compiled(warm.cargo(checkout, "build", **environment)) == all_crates
    assert compiled(warm.cargo(checkout, "build", "--release")) == all_crates  # the seed does not have this profile
    other = warm.host.home / "toolchains" / f"1.91.0-{TRIPLE}"
    other.symlink_to(REAL)
    shutil.rmtree(checkout / "target")
    done = warm.cargo(checkout, "build", RUSTUP_TOOLCHAIN="1.91.0", NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN="1")
    assert compiled(done) == all_crates


def test_seed_is_copied_to_the_build_folder_of_cargo(warm: Warm, checkout: Path) -> None:
    place = checkout.parent / "elsewhere"
    (checkout / "target/debug").mkdir(parents=True)  # of another build, such as an editor's
    for environment, words, target in (
        ({"CARGO_TARGET_DIR": str(place)}, (), place),
        ({}, ("--target-dir", str(place)), place),
        ({"CARGO_BUILD_BUILD_DIR": "{workspace-root}/inner"}, (), checkout / "inner"),
    ):
        result = warm.cargo(checkout, "build", *words, **environment)
        assert (target / "debug/.fingerprint").is_dir() and compiled(result) == {"nova-core"}
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(checkout / "target", ignore_errors=True)
    (checkout / "sub").mkdir()
    shutil.move(checkout / "nova-core", checkout / "sub/nova-core")
    workspace = (checkout / "Cargo.toml").read_text()
    (checkout / "Cargo.toml").write_text(workspace.replace("nova-core", "sub/nova-core"))
    with (checkout / ".cargo/config.toml").open("a") as configuration:
        configuration.write('[build]\nbuild-dir = "{workspace-root}/by-file"\n')
    result = warm.cargo(checkout, "build", "--manifest-path", "sub/nova-core/Cargo.toml")
    assert (checkout / "by-file/debug/.fingerprint").is_dir() and compiled(result) == {"nova-core"}


def test_seed_of_a_toolchain_flags_and_profiles_is_used_only_with_them(warm: Warm, checkout: Path) -> None:
    channel, flags = "1.90.0", "-Cdebuginfo=0"
    (warm.host.home / "toolchains" / f"{channel}-{TRIPLE}").symlink_to(REAL)
    first = warm.seed
    warm.configure(toolchain=channel, rustflags=flags, profiles=("dev", "release"))
    try:
        warm.publish(*STEPS[:4])
        (warm.state / "cargo/registry").mkdir()
        (warm.state / "cargo/registry/CACHEDIR.TAG").touch()  # as nightly versions of cargo do for crates from a folder
        subprocess.run(["chown", "-R", f"{ACCOUNT}:0", warm.state], check=True)
        warm.publish(*STEPS[4:])
        assert not (warm.prefix / "warm/cargo").exists()
        (checkout / "rust-toolchain.toml").write_text(f'[toolchain]\nchannel = "{channel}"\n')
        for words in (("build",), ("build", "--release"), ("check", "-r")):
            result = warm.cargo(checkout, *words, RUSTFLAGS=flags)
            assert compiled(result) == {"nova-core"}
        shutil.rmtree(checkout / "target")
        assert compiled(warm.cargo(checkout, "build")) == {"nova-core", *DEPENDENCIES}  # without the flags
        (checkout / "rust-toolchain.toml").unlink()
        shutil.rmtree(checkout / "target")
        assert compiled(warm.cargo(checkout, "build", RUSTFLAGS=flags)) == {"nova-core", *DEPENDENCIES}
    finally:
        warm.configure()
        for seed in warm.prefix.glob("warm/seeds/nova-*"):
            if seed != first:
                shutil.rmtree(seed)


def test_killed_copy_is_repeated(warm: Warm, checkout: Path) -> None:
    """STAND-IN for cp that stops before its end."""
    stopped = checkout / "bin/cp"
    stopped.parent.mkdir()
    stopped.write_text('#!/bin/bash\nmkdir -p "${@: -1}/deps"; : >"${@: -1}/deps/half"; kill -9 $PPID\n')
    stopped.chmod(0o755)
    killed = warm.cargo(checkout, "build", PATH=f"{stopped.parent}:/usr/bin:/bin")
    assert killed.status == -9
    assert (checkout / "target/.nova-seed/deps/half").exists() and not (checkout / "target/debug").exists()
    assert compiled(warm.cargo(checkout, "build")) == {"nova-core"}
    assert not list((checkout / "target").rglob("half")) and not (checkout / "target/.nova-seed").exists()


def test_full_disk_causes_a_build_without_a_seed(warm: Warm, checkout: Path) -> None:
    target = checkout / "target"
    target.mkdir()
    size = sum(file.stat().st_size for file in (warm.seed / "debug").rglob("*") if file.is_file())
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", target], check=True)
    try:
        result = warm.cargo(checkout, "check")  # which needs only a part of the seed
        assert "could not be copied" in result.err and not (target / ".nova-seed").exists()
        assert compiled(result) == {"nova-core", *DEPENDENCIES}
    finally:
        subprocess.run(["umount", target], check=True)


def test_parallel_commands_copy_the_seed_once_for_each_folder(warm: Warm, checkout: Path) -> None:
    folders = [checkout, checkout, *(warm.checkout(f"at-once-{number}") for number in range(5))]
    running = [
        warm.host.start("bash", warm.host.cargo_agent, "build", "--locked", "--offline", cwd=folder)
        for folder in folders
    ]
    ended = [process.communicate(timeout=GUARD)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 7
    assert not any("Compiling fix-" in output for output in ended)
    assert sum("from seed" in output for output in ended) == 6
    for folder in folders[2:]:
        shutil.rmtree(folder)


def test_seed_being_copied_stays_and_the_copy_is_complete(warm: Warm, checkout: Path) -> None:
    """STAND-IN for cp that waits, like a copy of a large seed."""
    waits = checkout / "bin/cp"
    waits.parent.mkdir()
    waits.write_text(
        f'#!/bin/bash\n: >{checkout}/started\nuntil [[ -e {checkout}/go ]]; do sleep 0.05; done\nexec /bin/cp "$@"\n'
    )
    waits.chmod(0o755)
    seed = warm.seed
    running = warm.host.start(
        "bash",
        warm.host.cargo_agent,
        "build",
        "--locked",
        "--offline",
        cwd=checkout,
        PATH=f"{waits.parent}:/usr/bin:/bin",
    )
    eventually(lambda: (checkout / "started").exists())
    assert collect(warm.policy.seeds, set(), 1, 0) == [] and seed.is_dir()
    (checkout / "go").touch()
    output = running.communicate(timeout=GUARD)[1]
    assert running.returncode == 0 and "3 of 3 dependencies" in output and "Compiling fix-" not in output
    assert collect(warm.policy.seeds, set(), 1, 0) == [seed.name]
    warm.publish()


def test_seed_is_used_while_another_agent_holds_a_lock(warm: Warm, checkout: Path) -> None:
    with open(warm.seed / "manifest") as manifest:
        fcntl.flock(manifest, fcntl.LOCK_EX)
        assert compiled(warm.cargo(checkout, "build")) == {"nova-core"}


def test_seed_that_is_removed_during_the_copy_is_not_used(warm: Warm, checkout: Path) -> None:
    """STAND-IN for root, which removes the seed because a lock of another agent prevented the lock of this copy."""
    removes = checkout / "bin/cp"
    removes.parent.mkdir()
    gone = warm.seed.with_name(".old")
    removes.write_text(f'#!/bin/bash\n/bin/cp "$@"; [[ ! -e {warm.seed} ]] || mv {warm.seed} {gone}\n')
    removes.chmod(0o755)
    seed = warm.seed
    result = warm.cargo(checkout, "build", PATH=f"{removes.parent}:/usr/bin:/bin")
    gone.rename(seed)
    assert compiled(result) == {"nova-core", *DEPENDENCIES} and not (checkout / "target/.nova-seed").exists()


def test_agent_cannot_write_a_seed_and_damage_is_found(warm: Warm, checkout: Path) -> None:
    def writes(path: Path) -> bool:
        words = [
            "setpriv",
            f"--reuid={ACCOUNT}",
            f"--regid={ACCOUNT}",
            "--clear-groups",
            "sh",
            "-c",
            f'echo x >>"{path}"',
        ]
        return subprocess.run(words, capture_output=True).returncode == 0

    seed = warm.seed
    some = next((seed / "debug/deps").glob("libfix_plain-*.rlib"))
    assert not any(map(writes, [some, seed / "manifest", seed / "new", seed.parent / "new", some.parent / "new"]))
    assert damage_of(warm.policy.seeds, seed.name) == "" and warm.step("verify").returncode == 0
    some.write_bytes(some.read_bytes() + b"x")
    assert damage_of(warm.policy.seeds, seed.name) == f"{some.relative_to(seed)} has other content"
    assert str(some.relative_to(seed)) in warm.step("verify").stdout
    for file in (seed / "debug").rglob("*.*"):
        if file.is_file():
            file.write_bytes(b"other")
    result = warm.cargo(checkout, "build")
    assert "is damaged" in result.err and compiled(result) == {"nova-core", *DEPENDENCIES}
    warm.publish()  # replaces it
    assert damage_of(warm.policy.seeds, warm.seed.name) == ""


def test_new_lock_makes_a_new_seed_and_keep_limits_their_number(warm: Warm) -> None:
    first = warm.seed.name
    lock = (warm.source / "Cargo.lock").read_text()
    try:
        assert "is up to date" in warm.publish()
        (warm.source / "Cargo.lock").write_text(lock + "# newer\n")
        warm.publish()
        assert {seed.name for seed in read_seeds(warm.policy.seeds)} > {first}
        warm.configure(keep=1)
        (warm.source / "Cargo.lock").write_text(lock + "# newest\n")
        assert "removed " in warm.publish() and len(read_seeds(warm.policy.seeds)) == 1
    finally:
        (warm.source / "Cargo.lock").write_text(lock)
        warm.configure()
        shutil.rmtree(warm.policy.seeds)
        warm.publish()


def test_too_large_seed_is_refused_and_leaves_nothing(warm: Warm) -> None:
    shutil.rmtree(warm.policy.seeds)
    warm.configure(max_bytes=1000)
    try:
        with pytest.raises(AssertionError, match="agent_warm_max_size"):
            warm.publish()
        assert os.listdir(warm.policy.seeds) == []
    finally:
        warm.configure()
        warm.publish()


def test_links_and_pipes_of_the_account_are_not_published(warm: Warm) -> None:
    """A crate with a link or a pipe in its output is not published. All others are."""
    secret = warm.host.root / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    shutil.rmtree(warm.policy.seeds)
    warm.publish(*STEPS[:-1])
    built = warm.state / "target/debug/build"
    (output,) = built.glob("fix-built-*/out/number.rs")
    output.unlink()
    output.symlink_to(secret)
    os.mkfifo(warm.state / "target/debug/deps/pipe")
    (warm.state / "target/debug/.fingerprint/away").symlink_to("/etc")
    subprocess.run(["chown", "-hR", f"{ACCOUNT}:0", warm.state], check=True)
    done = warm.step("publish", "nova")
    assert done.returncode == 0, done.stderr
    files = list(warm.seed.rglob("*"))
    assert not any(file.is_symlink() or file.is_fifo() for file in files)
    assert not any(b"root's" in file.read_bytes() for file in files if file.is_file())
    assert not list(warm.seed.glob(f"debug/build/{output.parts[-3]}/*"))
    shutil.rmtree(warm.policy.seeds)
    warm.publish()


def owned_by_another(place: Path) -> None:
    place.write_text("")
    os.chown(place, ACCOUNT, ACCOUNT)


def writable_for_all(place: Path) -> None:
    place.write_text("")
    place.chmod(0o666)


def link_to_another_folder(place: Path) -> None:
    place.symlink_to("/tmp")


@pytest.mark.parametrize("change", [owned_by_another, writable_for_all, link_to_another_folder])
@pytest.mark.parametrize("name", ["Cargo.toml", "lib.rs"])
def test_source_writable_for_others_is_refused(warm: Warm, change: Callable[[Path], None], name: str) -> None:
    place = warm.source / "vendor" / name
    place.parent.mkdir()
    change(place)
    try:
        done = warm.step("check", "nova")
        assert done.returncode == 1 and str(place) in done.stderr
    finally:
        shutil.rmtree(place.parent)


def test_project_is_fetched_by_git(warm: Warm) -> None:
    origin = warm.host.root / "origin"
    shutil.copytree(warm.source, origin)
    git = ["git", "-C", str(origin), "-c", "user.name=FIXTURE", "-c", "user.email=fixture@example.net"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "FIXTURE"]):
        subprocess.run([*git, *words], check=True)
    warm.configure(source=f"file://{origin}", revision="main")
    try:
        shutil.rmtree(warm.policy.seeds)
        assert "3 of 3" in warm.publish()
        warm.configure(source=f"file://{origin}", revision="gone")
        with pytest.raises(AssertionError, match="gone of file://"):
            warm.publish()
    finally:
        warm.configure()
