# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""The steps of the service account: fetch the source and its crates, and build the dependencies with the wrapper.

``libexec/warm-member`` fails for each member of the workspace, so no code of the source is compiled or run. With
``--keep-going`` cargo still builds all dependencies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from .policy import Project, WarmError, WarmPolicy

# check (and clippy) has other units than build (test, nextest and run). Tests add dev-dependencies.
COMMANDS = (("check",), ("check", "--tests"), ("build",), ("build", "--tests"))
LEAVE_OUT = ("RUST", "CARGO", "NOVA_", "GIT_")


def empty(state: str) -> None:
    for name in os.listdir(state):
        path = os.path.join(state, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def fetch(project: Project, state: str) -> None:
    """Get the source into an empty ``state``. Raises WarmError."""
    empty(state)
    if project.is_folder:
        return
    source = f"{state}/src"
    environment = {**_environment(state), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
    if project.source.startswith("file:"):  # git refuses repositories of other accounts
        with open(f"{state}/.gitconfig", "w", encoding="ascii") as file:
            file.write("[safe]\n\tdirectory = *\n")
    for words in (
        ["git", "init", "--quiet", source],
        ["git", "-C", source, "fetch", "--quiet", "--depth=1", "--no-tags", "--", project.source, project.revision],
        ["git", "-C", source, "checkout", "--quiet", "--detach", "FETCH_HEAD"],
    ):
        if _run(words, state, environment):
            raise WarmError(f"project {project.name}: {project.revision} of {project.source} can't be fetched by git")


def download(policy: WarmPolicy, project: Project, state: str) -> None:
    """Download the crates. No code of them runs. Raises WarmError."""
    source, environment = _source(project, state), _cargo_environment(project, state)
    words = ["bash", f"{policy.prefix}/bin/cargo_agent.sh", "fetch", "--locked", "--quiet"]
    if _run(words, source, {**environment, "CARGO_HOME": f"{state}/cargo"}):
        raise WarmError(f"project {project.name}: cargo can't fetch the crates of {source}/Cargo.lock")


def build(policy: WarmPolicy, project: Project, state: str, published: bool) -> None:
    """Build the dependencies into ``state``/target. The exit status is not checked, because members always fail."""
    environment = {
        **_cargo_environment(project, state),
        "CARGO_HOME": policy.home(project.name) if published else f"{state}/cargo",
        "CARGO_TARGET_DIR": f"{state}/target",
        "CARGO_BUILD_BUILD_DIR": f"{state}/target",
        "RUSTC_WORKSPACE_WRAPPER": f"{policy.prefix}/libexec/warm-member",
        "RUSTC_WRAPPER": "",
        "NOVA_CARGO_KEEP_RUSTC_WRAPPER": "1",
    }
    if project.rustflags:
        environment["RUSTFLAGS"] = project.rustflags
    for words in commands(project):
        words = ["bash", f"{policy.prefix}/bin/cargo_agent.sh", *words, "--offline"]
        _run(words, _source(project, state), environment, subprocess.DEVNULL)


def commands(project: Project) -> Iterator[list[str]]:
    """The cargo commands of agents: the features of a dependency depend on the package and on the command."""
    features = ["--features", ",".join(project.features)] if project.features else []
    for profile in project.profiles:
        for package in project.packages or [""]:
            what = ["-p", package] if package else ["--workspace"]
            for command in COMMANDS:
                yield [*command, "--locked", "--keep-going", "--quiet", "--profile", profile, *what, *features]


def _source(project: Project, state: str) -> str:
    return project.source if project.is_folder else f"{state}/src"


def _cargo_environment(project: Project, state: str) -> dict[str, str]:
    environment = {**_environment(state), "NOVA_CARGO_NO_SEED": "1"}
    if project.toolchain:
        environment.update(RUSTUP_TOOLCHAIN=project.toolchain, NOVA_CARGO_KEEP_RUSTUP_TOOLCHAIN="1")
    return environment


def _environment(state: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEAVE_OUT)}
    return {**kept, "HOME": state}


def _run(words: Sequence[str], folder: str, environment: dict[str, str], errors: int | None = None) -> int:
    try:
        return subprocess.run(words, check=False, cwd=folder, env=environment, stderr=errors).returncode
    except OSError as error:
        raise WarmError(f"{words[0]} can't be run in {folder}: {error.strerror}") from error
